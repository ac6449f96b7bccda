"""SRVGGNetCompact: the small network of Real-ESRGAN. Parameter names are the public ones."""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from sr_hub.base import SRModel
from sr_hub.blocks import at_least


class SRVGGNetCompact(SRModel):
    """A plain stack of 3x3 convolutions at the input's size, then one sub-pixel step.

    Args:
        scale: 1 to 4.
        channels: width of the stack.
        convs: convolutions between the first and the last one, each followed by a PReLU with a
            slope for each channel.

    621,424 parameters at scale 4 with the defaults. The output is added to the nearest-neighbour
    enlargement of the input.

    Source: Wang et al. 2021 (Real-ESRGAN), https://arxiv.org/abs/2107.10833, and its repository.
    """

    scales = (1, 2, 3, 4)

    def __init__(self, *, scale: int = 4, channels: int = 64, convs: int = 16) -> None:
        super().__init__(scale=scale)
        at_least(1, channels=channels)
        at_least(0, convs=convs)
        widths = [3] + [channels] * (convs + 1)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.PReLU(outputs)]
        self.body = nn.ModuleList([*layers, nn.Conv2d(channels, 3 * scale**2, 3, padding=1)])

    @property
    def receptive_field(self) -> int:
        return sum(isinstance(layer, nn.Conv2d) for layer in self.body)

    def forward(self, x: Tensor) -> Tensor:
        features = x
        for layer in self.body:
            features = layer(features)
        enlarged = F.interpolate(x, scale_factor=float(self.scale), mode="nearest")
        return F.pixel_shuffle(features, self.scale) + enlarged
