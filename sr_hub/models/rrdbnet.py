"""RRDBNet: the generator of ESRGAN. Parameter names are those of the public checkpoints."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr_hub.base import SRModel
from sr_hub.blocks import at_least, enlarge_bicubic

RESIDUAL_SCALE = 0.2
"""Factor on every residual (section 3.1 of the paper)."""

CONVS = 5
"""Convolutions in a dense block."""

STRIP = 2**14
"""Pixels of the trunk's output that are enlarged at a time where no gradient is wanted: enlarged,
they take sixteen times their memory, which would be five times what the whole trunk takes."""

TAIL_REACH = 2
"""Pixels of the trunk's output to each side that an enlarged pixel depends on."""


class RRDBNet(SRModel):
    """Residual-in-residual dense blocks without batch norm.

    Args:
        scale: 1, 2 or 4. At 1 and 2 the input is first folded by pixel-unshuffle to a quarter or
            half of its side, so that the trunk always works at a quarter of the output.
        channels: width of the trunk.
        blocks: residual-in-residual dense blocks.
        growth: channels that each convolution of a dense block adds.
        bicubic_skip: add the bicubic enlargement of the input to the output. The published network
            has no such skip.

    16,697,987 parameters at scale 4 with the defaults.

    Source: Wang et al. 2018, section 3.1, https://arxiv.org/abs/1809.00219.
    """

    scales = (1, 2, 4)

    def __init__(
        self,
        *,
        scale: int = 4,
        channels: int = 64,
        blocks: int = 23,
        growth: int = 32,
        bicubic_skip: bool = False,
    ) -> None:
        super().__init__(scale=scale)
        at_least(1, channels=channels, growth=growth)
        at_least(0, blocks=blocks)
        self.bicubic_skip = bicubic_skip
        inputs = 3 * self.size_multiple**2
        self.conv_first = nn.Conv2d(inputs, channels, 3, padding=1)
        self.body = nn.Sequential(*(RRDB(channels, growth) for _ in range(blocks)))
        self.conv_body = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_up1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_up2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_hr = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_last = nn.Conv2d(channels, 3, 3, padding=1)

    @property
    def size_multiple(self) -> int:
        return 4 // self.scale

    @property
    def receptive_field(self) -> int:
        trunk = 1 + 3 * CONVS * len(self.body) + 1
        return (trunk + 1 + 1 + 1) * self.size_multiple

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        folded = F.pixel_unshuffle(_pad_to_multiple(x, self.size_multiple), self.size_multiple)
        features = self.conv_first(folded)
        features = features + self.conv_body(self.body(features))
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            output = self._enlarge(features)
        else:
            output = self._enlarge_by_strips(features)
        output = output[..., : height * self.scale, : width * self.scale]
        return output + enlarge_bicubic(x, self.scale) if self.bicubic_skip else output

    def _enlarge(self, features: Tensor) -> Tensor:
        """(N, channels, h, w) -> (N, 3, 4 * h, 4 * w)."""
        for conv in (self.conv_up1, self.conv_up2):
            features = _activate(conv(F.interpolate(features, scale_factor=2.0, mode="nearest")))
        return self.conv_last(_activate(self.conv_hr(features)))

    def _enlarge_by_strips(self, features: Tensor) -> Tensor:
        """What `_enlarge` gives, some rows at a time, each with the rows around that it sees."""
        height, width = features.shape[-2:]
        rows = max(1, STRIP // width)
        strips = []
        for top in range(0, height, rows):
            first, bottom = max(0, top - TAIL_REACH), min(height, top + rows)
            strip = self._enlarge(features[..., first : bottom + TAIL_REACH, :])
            strips.append(strip[..., 4 * (top - first) : 4 * (bottom - first), :])
        return torch.cat(strips, dim=-2)


class RRDB(nn.Module):
    """Three dense blocks inside one residual. (N, C, H, W) -> the same."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = DenseBlock(channels, growth)
        self.rdb2 = DenseBlock(channels, growth)
        self.rdb3 = DenseBlock(channels, growth)

    def forward(self, x: Tensor) -> Tensor:
        return x + RESIDUAL_SCALE * self.rdb3(self.rdb2(self.rdb1(x)))


class DenseBlock(nn.Module):
    """Five convolutions, each over the input and all earlier results, inside a residual."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        for index in range(CONVS):
            outputs = growth if index < CONVS - 1 else channels
            conv = nn.Conv2d(channels + index * growth, outputs, 3, padding=1)
            # A tenth of the usual start keeps a deep stack of residuals quiet (section 3.1).
            nn.init.kaiming_normal_(conv.weight)
            conv.weight.data.mul_(0.1)
            nn.init.zeros_(conv.bias)
            self.add_module(f"conv{index + 1}", conv)

    def forward(self, x: Tensor) -> Tensor:
        features = x
        for index in range(1, CONVS):
            conv = self.get_submodule(f"conv{index}")
            features = torch.cat([features, _activate(conv(features))], dim=1)
        return x + RESIDUAL_SCALE * self.get_submodule(f"conv{CONVS}")(features)


def _activate(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


def _pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """`x` with its right and bottom edge mirrored, as far as there are pixels to mirror."""
    if multiple == 1:
        return x
    rows, columns = (_mirrored(size, -size % multiple, x.device) for size in x.shape[-2:])
    return x[..., rows, :][..., columns]


def _mirrored(size: int, more: int, device: torch.device) -> Tensor:
    """Which pixel stands at each place of a line of `size` and `more`, (size + more,)."""
    places = torch.arange(size + more, device=device)
    return torch.minimum(places, 2 * (size - 1) - places).clamp(min=0)
