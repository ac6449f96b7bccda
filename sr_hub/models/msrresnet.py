"""MSRResNet: SRResNet as BasicSR has it. Parameter names are those of its public checkpoints."""

import torch.nn.functional as F
from torch import Tensor, nn

from sr_hub.base import SRModel
from sr_hub.blocks import at_least, sub_pixel_steps

SLOPE = 0.1
"""Negative slope of LeakyReLU outside the residual blocks, which have ReLU."""


class MSRResNet(SRModel):
    """Residual blocks without batch norm, 3x3 convolutions throughout, bilinear skip.

    Unlike `SRResNet` it has no convolution and no skip around the trunk, LeakyReLU instead of
    PReLU, and one more convolution after the sub-pixel steps.

    Args:
        scale: 2, 3 or 4.
        channels: width of the trunk.
        blocks: residual blocks.

    1,517,571 parameters at scale 4 with the defaults.

    Source: BasicSR, after Ledig et al. 2017, https://arxiv.org/abs/1609.04802.
    """

    def __init__(self, *, scale: int = 4, channels: int = 64, blocks: int = 16) -> None:
        super().__init__(scale=scale)
        at_least(1, channels=channels)
        at_least(0, blocks=blocks)
        self.conv_first = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.Sequential(*(_Block(channels) for _ in range(blocks)))
        for index, step in enumerate(sub_pixel_steps(scale), start=1):
            wide = nn.Conv2d(channels, channels * step**2, 3, padding=1)
            self.add_module(f"upconv{index}", wide)
        self.conv_hr = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_last = nn.Conv2d(channels, 3, 3, padding=1)

    @property
    def receptive_field(self) -> int:
        return 1 + 2 * len(self.body) + len(sub_pixel_steps(self.scale)) + 1 + 1

    def forward(self, x: Tensor) -> Tensor:
        features = self.body(_activate(self.conv_first(x)))
        for index, step in enumerate(sub_pixel_steps(self.scale), start=1):
            wide = self.get_submodule(f"upconv{index}")(features)
            features = _activate(F.pixel_shuffle(wide, step))
        output = self.conv_last(_activate(self.conv_hr(features)))
        enlarged = F.interpolate(
            x, scale_factor=float(self.scale), mode="bilinear", align_corners=False
        )
        return output + enlarged


class _Block(nn.Module):
    """Convolution, ReLU, convolution, around a skip."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(x)))


def _activate(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE)
