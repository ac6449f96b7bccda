"""Layers that several networks share."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr_hub.errors import SRHubError

MOST_ZEROS = 1.5
"""`ShuffledConv2d` takes a kernel apart if the zeros around it make it at most so much larger."""


def enlarge_bicubic(x: Tensor, scale: int) -> Tensor:
    """`x` enlarged by cubic convolution with a = -0.75, the skip connection of the networks.

    (N, C, H, W) -> (N, C, scale * H, scale * W), at least in float32: a network in half precision
    that adds it gives float32. This form of the kernel (the one of OpenCV) is the one that every
    torch device and every exporter has.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    if scale == 1:
        return x
    return F.interpolate(x, scale_factor=float(scale), mode="bicubic", align_corners=False)


class ShuffledConv2d(nn.Conv2d):
    """A "same" convolution of the pixel-shuffled input, `conv(pixel_shuffle(x, step))`.

    CPUs are slow at a large kernel over many channels at the size of the output, with no more than
    three outputs: SRResNet's takes two fifths of its time in float32. Such a kernel is taken apart
    into those that the step x step places of the shuffle see, which run in front of the shuffle:
    the same sums in a third of the time, for a quarter more multiply-adds, which meet zeros. The
    weights are those of a plain convolution behind a shuffle.

    (N, inputs * step**2, H, W) -> (N, outputs, step * H, step * W).

    Source: Shi et al. 2016, section 2, https://arxiv.org/abs/1609.07009.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, step: int, *, bias: bool = True
    ) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
        self.step = step
        self.reach = math.ceil((kernel // 2) / step)
        """How far the kernel reaches in pixels in front of the shuffle."""

    def forward(self, x: Tensor) -> Tensor:
        side, kernel = self.step * (2 * self.reach + 1), self.kernel_size[0]
        if side**2 > MOST_ZEROS * kernel**2:
            return super().forward(F.pixel_shuffle(x, self.step))
        bias = None if self.bias is None else self.bias.repeat_interleave(self.step**2)
        features = F.conv2d(x, self._kernels_of_places(side), bias, padding=self.reach)
        return F.pixel_shuffle(features, self.step)

    def _kernels_of_places(self, side: int) -> Tensor:
        """(outputs * step**2, inputs * step**2, 2 * reach + 1, 2 * reach + 1)."""
        spare = side - self.kernel_size[0]
        first = self.reach * self.step - self.kernel_size[0] // 2
        starts = range(first, first + self.step)
        kernels = [
            F.pixel_unshuffle(
                F.pad(self.weight, (left, spare - left, above, spare - above)), self.step
            )
            for above in starts
            for left in starts
        ]
        return torch.stack(kernels, dim=1).flatten(0, 1)


class ChannelLayerNorm(nn.Module):
    """Layer normalisation over the channels of each pixel, with one scale and shift per channel.

    (N, C, H, W) -> the same. It looks at one pixel at a time, so a tile of a picture comes out as
    the same place of the whole picture does; batch, instance and group norm have no such promise.

    Source: Ba, Kiros, Hinton 2016, https://arxiv.org/abs/1607.06450, in the channel-first form.
    """

    def __init__(self, channels: int, *, epsilon: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(dim=1, keepdim=True)
        variance = centred.square().mean(dim=1, keepdim=True)
        normalised = centred * torch.rsqrt(variance + self.epsilon)
        return normalised * self.weight[:, None, None] + self.bias[:, None, None]


def at_least(least: int, **counts: int) -> None:
    """Refuse widths and depths, given by the names of their arguments, that are none.

    Raises:
        SRHubError: if one is not an int, or below `least`.
    """
    for name, count in counts.items():
        if type(count) is not int or count < least:
            raise SRHubError(f"{name}={count!r} must be a whole number of at least {least}")


def sub_pixel_steps(scale: int) -> list[int]:
    """The factors of the sub-pixel steps that make up `scale`: 4 -> [2, 2], 3 -> [3], 2 -> [2]."""
    return [2, 2] if scale == 4 else [scale]
