"""Layers that several networks share."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def enlarge_bicubic(x: Tensor, scale: int) -> Tensor:
    """`x` enlarged by cubic convolution with a = -0.75, the skip connection of the networks.

    (N, C, H, W) -> (N, C, scale * H, scale * W), always in float32. This form of the kernel (the
    one of OpenCV) is the one that every torch device and every exporter has.
    """
    if scale == 1:
        return x.float()
    return F.interpolate(x.float(), scale_factor=float(scale), mode="bicubic", align_corners=False)


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


def sub_pixel_steps(scale: int) -> list[int]:
    """The factors of the sub-pixel steps that make up `scale`: 4 -> [2, 2], 3 -> [3], 2 -> [2]."""
    return [2, 2] if scale == 4 else [scale]
