"""RRIM: the network that the main report proposes.

SRGAN's generator without batch norm, whose residual blocks are replaced by residual-in-residual
groups of Inception modules. What the report fixes, and where it stands here:

- no batch norm, no pooling, no 0.2 residual scaling (report 3.2.1, 3.2.2);
- the head raises the channels in two convolutions (4.1 step 2);
- a group holds three shallow modules and one middle module (3.2.2, figure 3-13), so four groups
  stand for SRGAN's sixteen blocks; the trunk's output is added to the head's (4.1 step 4);
- a module runs parallel branches whose k x k kernels are factorised into 1 x k and k x 1, as in
  Inception v3, and concatenates them; shallow: few branches with large kernels, middle: more
  branches with smaller kernels, deep: the most branches with the smallest kernels;
- the tail is sub-pixel x2, one deep module, sub-pixel x2, one convolution to RGB; SRGAN's two 3x3
  convolutions in front of the sub-pixel steps are gone (3.2.3, figure 3-14).

What the report leaves open was chosen by trials of 120 s on two CPU cores, each with its own
cosine schedule (16 patches of 24 x 24, bf16, Adam 1e-3, L1, EMA; Set5 / Set14 dB on luma):

==========================================================  ==========  =====  =============
variant                                                     parameters  steps  dB
==========================================================  ==========  =====  =============
SRResNet without batch norm, 3x3 head and tail              1.52 M      316    30.33 / 27.47
96 channels with 1x1 bottlenecks, PReLU, trunk / 4          1.03 M      300    29.54 / 26.84
64 channels, no bottlenecks, PReLU, trunk / 16              0.62 M      443    30.16 / 27.34
**64 channels, LeakyReLU, shallow 5 and 7 (the default)**   0.61 M      654    30.47 / 27.61
the same, shallow 3 and 5 with 64 channels between factors  0.90 M      532    30.49 / 27.61
==========================================================  ==========  =====  =============

Initialisation and the scale of the trunk decided (0.35 dB), then plain branches in place of 1x1
bottlenecks, alternating orientation of the factors, and LeakyReLU, whose backward pass is a
quarter of a step cheaper than that of PReLU. The convolution to RGB is 9 x 9, as SRGAN's: with
3 x 3 the GAN stage drew the grid of the sub-pixel steps (`training/experiments/rrim_design.md`).

A factor that runs first sees less than the one after it, so a picture and the same picture on its
side are not enlarged alike, and the mean of both answers is better than each. `crossed` has this in
one network: a second head and trunk whose factors run in the other order, beside the first, and one
tail for both. `training/cross.py` makes it from a trained network.
"""

import math

import torch
from torch import Tensor, nn

from sr_hub.base import SRModel
from sr_hub.blocks import ShuffledConv2d, at_least, enlarge_bicubic, sub_pixel_steps
from sr_hub.errors import SRHubError

SHALLOW_MODULES = 3
"""Shallow modules in a group; one middle module follows them (report figure 3-13: 3 to 1)."""

SLOPE = 0.2
"""Negative slope of the activations."""


class FactorisedConv(nn.Sequential):
    """A k x k convolution as two of k weights each, with an activation between them.

    `vertical_first` runs k x 1 before 1 x k. (N, inputs, H, W) -> (N, outputs, H, W).
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, vertical_first: bool) -> None:
        row, column = (1, kernel), (kernel, 1)
        first, second = (column, row) if vertical_first else (row, column)
        super().__init__(
            nn.Conv2d(inputs, outputs, first, padding="same"),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Conv2d(outputs, outputs, second, padding="same"),
        )


class InceptionModule(nn.Module):
    """Parallel branches of factorised convolutions over one input, concatenated.

    `branches` lists them as `kernel:channels`, separated by commas; `3+3:24` is two factorised
    3 x 3 convolutions one after the other. Every second branch runs its factors column first; if
    `crossed`, the others do. (N, inputs, H, W) -> (N, sum of the branches' channels, H, W).

    Source: Szegedy et al. 2016, figures 5 and 6, https://arxiv.org/abs/1512.00567.
    """

    def __init__(self, inputs: int, branches: str, *, crossed: bool = False) -> None:
        super().__init__()
        plan = parse_branches(branches)
        self.branches = nn.ModuleList(
            _branch(inputs, channels, kernels, vertical_first=bool(index % 2) != crossed)
            for index, (kernels, channels) in enumerate(plan)
        )
        self.outputs = sum(channels for _, channels in plan)
        self.radius = max(sum(k // 2 for k in kernels) for kernels, _ in plan)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class RRIMGroup(nn.Module):
    """Three shallow modules and a middle one, each around a skip, inside an outer skip.

    The last module has no skip of its own: the outer one takes its place, so that the input is
    not counted twice. (N, C, H, W) -> the same.
    """

    def __init__(self, channels: int, shallow: str, middle: str, *, crossed: bool = False) -> None:
        super().__init__()
        self.shallow = nn.ModuleList(
            InceptionModule(channels, shallow, crossed=crossed) for _ in range(SHALLOW_MODULES)
        )
        self.middle = InceptionModule(channels, middle, crossed=crossed)
        self.radius = sum(module.radius for module in (*self.shallow, self.middle))

    def forward(self, x: Tensor) -> Tensor:
        features = x
        for module in self.shallow:
            features = module(features).add_(features)
        return self.middle(features).add_(x)


class RRIM(SRModel):
    """The generator of the main report: residual-in-residual of Inception modules.

    Args:
        scale: 2, 3 or 4. At 4 the deep module stands between the two sub-pixel steps, at 2 and 3
            before the only one.
        channels: width of the trunk; at scale 4 a multiple of 4.
        groups: RRIM groups of 3 + 1 modules; 4 stand for the 16 blocks of SRGAN.
        shallow: branches of the shallow modules, as `kernel:channels,...`; the channels of all
            branches add up to `channels`.
        middle: the same for the middle module of each group.
        deep: the same for the module of the tail; its sum is a multiple of the last sub-pixel
            step squared.
        rgb_kernel: side of the convolution to RGB, odd; SRGAN has 9 there too.
        crossed: add a second head and trunk that run the other factor of each kernel first. What
            they see is brought to the first ones' by a 3x3 convolution, and the tail reads the sum.
        trunk_scale: factor on the trunk's output where it joins the head's. It is one constant for
            the whole trunk, not the 0.2 on every residual that the report removes.
        bicubic_skip: add the bicubic enlargement of the input to the output.

    620,639 parameters at scale 4 with the defaults, 1,231,007 if `crossed`.

    Source: the main report, sections 3.2 and 4.1.
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        channels: int = 64,
        groups: int = 4,
        shallow: str = "5:32,7:32",
        middle: str = "3:24,5:16,3+3:24",
        deep: str = "3:36,3:36,3+3:36,3+3:36",
        rgb_kernel: int = 9,
        crossed: bool = False,
        trunk_scale: float = 0.25,
        bicubic_skip: bool = True,
    ) -> None:
        super().__init__(scale=scale)
        at_least(1, channels=channels, rgb_kernel=rgb_kernel)
        at_least(0, groups=groups)
        for name, branches in (("shallow", shallow), ("middle", middle)):
            total = sum(width for _, width in parse_branches(branches))
            if total != channels:
                raise SRHubError(
                    f"{name}={branches!r} adds up to {total}, not to channels={channels}"
                )
        if rgb_kernel % 2 == 0:
            raise SRHubError(f"rgb_kernel={rgb_kernel} must be odd")
        if not math.isfinite(trunk_scale):
            raise SRHubError(f"trunk_scale={trunk_scale} must be a finite number")
        self.trunk_scale = trunk_scale
        self.bicubic_skip = bicubic_skip
        self.crossed = crossed
        self.head = _head(channels)
        self.trunk = nn.Sequential(*(RRIMGroup(channels, shallow, middle) for _ in range(groups)))
        if crossed:
            self.crossed_head = _head(channels)
            self.crossed_trunk = nn.Sequential(
                *(RRIMGroup(channels, shallow, middle, crossed=True) for _ in range(groups))
            )
            self.join = nn.Conv2d(channels, channels, 3, padding=1)
        self.tail = _tail(channels, deep, rgb_kernel, sub_pixel_steps(scale))
        self._initialise()

    @property
    def receptive_field(self) -> int:
        trunk = sum(group.radius for group in self.trunk)
        join = 1 if self.crossed else 0
        to_rgb = math.ceil((self.tail[-1].kernel_size[0] // 2) / self.scale)
        return 2 + trunk + join + self.deep.radius + to_rgb

    @property
    def deep(self) -> InceptionModule:
        """The module of the tail, the first that reads the trunk's channels."""
        return next(layer for layer in self.tail if isinstance(layer, InceptionModule))

    def forward(self, x: Tensor) -> Tensor:
        features = self.path(self.head, self.trunk, x)
        if self.crossed:
            features = features + self.join(self.path(self.crossed_head, self.crossed_trunk, x))
        output = self.tail(features)
        return output + enlarge_bicubic(x, self.scale) if self.bicubic_skip else output

    def path(self, head: nn.Module, trunk: nn.Module, x: Tensor) -> Tensor:
        """What a head and its trunk see: (N, 3, H, W) -> (N, channels, H, W)."""
        features = head(x)
        return features + trunk(features) * self.trunk_scale

    def _initialise(self) -> None:
        """Kaiming normal everywhere; the last layer of every residual branch starts at a fifth.

        That is where the stability of an unscaled residual-in-residual comes from: the factor is
        in the initial weights, and training is free to undo it.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=SLOPE)
                nn.init.zeros_(module.bias)
        with torch.no_grad():
            groups = [module for module in self.modules() if isinstance(module, RRIMGroup)]
            for group in groups:
                for inception in (*group.shallow, group.middle):
                    for branch in inception.branches:
                        _last_conv(branch).weight.mul_(0.2)
            if self.crossed:
                nn.init.dirac_(self.join.weight)
            _last_conv(self.tail).weight.mul_(0.05)


def parse_branches(branches: str) -> list[tuple[list[int], int]]:
    """The kernels and the channels of each branch: "3:24,3+3:40" -> [([3], 24), ([3, 3], 40)].

    Raises:
        SRHubError: if the text has another form, or a kernel is even.
    """
    plan = []
    for branch in branches.split(","):
        kernels_text, _, channels_text = branch.strip().partition(":")
        try:
            kernels, channels = [int(k) for k in kernels_text.split("+")], int(channels_text)
        except ValueError:
            raise SRHubError(
                f"branch {branch.strip()!r} of {branches!r} is not kernel:channels, like 3+3:24"
            ) from None
        if channels < 1 or any(k < 1 or k % 2 == 0 for k in kernels):
            raise SRHubError(
                f"branch {branch.strip()!r}: kernels must be odd and channels at least 1"
            )
        plan.append((kernels, channels))
    return plan


def _head(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1),
        nn.LeakyReLU(SLOPE, inplace=True),
        nn.Conv2d(64, channels, 3, padding=1),
    )


def _branch(
    inputs: int, channels: int, kernels: list[int], *, vertical_first: bool
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index, kernel in enumerate(kernels):
        width = inputs if index == 0 else channels
        if layers:
            layers.append(nn.LeakyReLU(SLOPE, inplace=True))
        layers.append(FactorisedConv(width, channels, kernel, vertical_first=vertical_first))
    return nn.Sequential(*layers)


def _tail(channels: int, deep: str, rgb_kernel: int, steps: list[int]) -> nn.Sequential:
    """Sub-pixel, deep module, sub-pixel, convolution to RGB; below scale 4 one sub-pixel step."""
    before, last = steps[:-1], steps[-1]
    if before and channels % before[0] ** 2:
        raise SRHubError(f"channels={channels} must be a multiple of {before[0] ** 2} at scale 4")
    width = channels // before[0] ** 2 if before else channels
    module = InceptionModule(width, deep)
    if module.outputs % last**2:
        raise SRHubError(
            f"deep={deep!r} adds up to {module.outputs}, not to a multiple of {last**2}"
        )
    return nn.Sequential(
        *(nn.PixelShuffle(step) for step in before),
        module,
        nn.LeakyReLU(SLOPE, inplace=True),
        nn.Identity(),  # the shuffle, which the last convolution does
        ShuffledConv2d(module.outputs // last**2, 3, rgb_kernel, last),
    )


def _last_conv(module: nn.Module) -> nn.Conv2d:
    return [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)][-1]
