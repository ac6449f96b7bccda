"""SR-NET: the U-Net of the second report, on the enlarged input."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr_hub.base import SRModel
from sr_hub.blocks import at_least, enlarge_bicubic

DOWN = (1, 1, 2, 4, 4)
UP = (4, 2, 1, 1)
"""Widths of the layers in multiples of `channels`; the last layer up has the 3 of RGB."""

FOLD = 2 ** len(DOWN)
"""The enlarged input is padded to the next multiple of this many pixels: one halving a layer."""

SLOPE = 0.3
"""Negative slope of LeakyReLU where Keras is given none, as in the report's listing."""

KERAS_EPSILON, KERAS_MOMENTUM = 1e-3, 0.01
"""Defaults of Keras' batch normalisation, in PyTorch's terms."""


class SRNet(SRModel):
    """Five strided convolutions down, five transposed ones up, one 2x2 at the end.

    Args:
        scale: 2, 3 or 4.
        channels: width of the first two layers; the widest have four times as many. 128 is the
            report's form.
        bicubic_skip: add the bicubic enlargement of the input to the output. False is the
            report's form.

    9,600,206 parameters with the defaults. Batch normalisation stands from the third convolution
    on.

    Source: the second report, section 三 (三), its Keras listing.
    """

    def __init__(self, *, scale: int = 4, channels: int = 128, bicubic_skip: bool = True) -> None:
        super().__init__(scale=scale)
        at_least(1, channels=channels)
        self.bicubic_skip = bicubic_skip
        down, up = ([channels * times for times in part] for part in (DOWN, UP))
        up.append(3)
        inputs = (3, *down[:-1])
        self.down = nn.ModuleList(
            _down(before, after, batch_norm=index >= 2)
            for index, (before, after) in enumerate(zip(inputs, down, strict=True))
        )
        skips = (*down[-2::-1], 3)
        joined = (after + skip for after, skip in zip(up[:-1], skips[:-1], strict=True))
        widths = (down[-1], *joined)
        self.up = nn.ModuleList(
            _up(before, after) for before, after in zip(widths, up, strict=True)
        )
        self.last = nn.Conv2d(up[-1] + skips[-1], 3, 2)

    @property
    def size_multiple(self) -> int:
        return FOLD // math.gcd(FOLD, self.scale)

    @property
    def receptive_field(self) -> int:
        # Down and up each reach 1 + 2 + 4 + 8 + 16 enlarged pixels, and up again one cell of each
        # level for the grid on which it stands.
        enlarged = 4 * FOLD
        return 2 + -(-enlarged // self.scale)

    def forward(self, x: Tensor) -> Tensor:
        enlarged = enlarge_bicubic(x, self.scale)
        height, width = enlarged.shape[-2:]
        # Always by one pixel at least: at the edge of what the layers see, where zeros stand in
        # for more, the last column and row would come out dark.
        right, bottom = FOLD - width % FOLD, FOLD - height % FOLD
        padded = F.pad(enlarged, (0, right, 0, bottom), mode="replicate")
        levels = [padded.to(self.down[0][0].weight.dtype)]
        for layer in self.down:
            levels.append(layer(levels[-1]))
        features = levels.pop()
        for layer in self.up:
            features = torch.cat([layer(features), levels.pop()], dim=1)
        output = self.last(features)[..., :height, :width]
        return output + enlarged if self.bicubic_skip else output


def _down(inputs: int, outputs: int, *, batch_norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)]
    if batch_norm:
        layers.append(nn.BatchNorm2d(outputs, eps=KERAS_EPSILON, momentum=KERAS_MOMENTUM))
    return nn.Sequential(*layers, nn.LeakyReLU(SLOPE, inplace=True))


def _up(inputs: int, outputs: int) -> nn.Sequential:
    conv = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
    return nn.Sequential(conv, nn.LeakyReLU(SLOPE, inplace=True))
