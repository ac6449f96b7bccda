"""SRResNet: the generator of SRGAN, with batch norm as published or without it."""

from torch import Tensor, nn

from sr_hub.base import SRModel
from sr_hub.blocks import ShuffledConv2d, at_least, enlarge_bicubic, sub_pixel_steps


class SRResNet(SRModel):
    """Residual blocks of two 3x3 convolutions, then sub-pixel steps (k9n64 head and tail).

    Args:
        scale: 2, 3 or 4.
        channels: width of the trunk.
        blocks: residual blocks.
        batch_norm: batch normalisation after each convolution of the trunk, as published. False
            is the "BN removed" model of the main report.
        bias: biases in the convolutions.
        shared_prelu: one PReLU slope for the trunk and one for the sub-pixel steps, instead of one
            for each activation.
        bicubic_skip: add the bicubic enlargement of the input to the output.

    1,549,462 parameters at scale 4 with the defaults; with `bias=False, shared_prelu=True` the
    1,546,754 of the fourth report.

    Source: Ledig et al. 2017, figure 4, https://arxiv.org/abs/1609.04802.
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        channels: int = 64,
        blocks: int = 16,
        batch_norm: bool = True,
        bias: bool = True,
        shared_prelu: bool = False,
        bicubic_skip: bool = True,
    ) -> None:
        super().__init__(scale=scale)
        at_least(1, channels=channels)
        at_least(0, blocks=blocks)
        self.bicubic_skip = bicubic_skip
        trunk_prelu, tail_prelu = nn.PReLU(), nn.PReLU()

        def prelu(shared: nn.PReLU) -> nn.PReLU:
            return shared if shared_prelu else nn.PReLU()

        def conv_norm() -> list[nn.Module]:
            layers: list[nn.Module] = [nn.Conv2d(channels, channels, 3, padding=1, bias=bias)]
            return [*layers, nn.BatchNorm2d(channels)] if batch_norm else layers

        self.head = nn.Sequential(
            nn.Conv2d(3, channels, 9, padding=4, bias=bias), prelu(trunk_prelu)
        )
        self.trunk = nn.Sequential(
            *(Residual(*conv_norm(), prelu(trunk_prelu), *conv_norm()) for _ in range(blocks)),
            *conv_norm(),
        )
        tail: list[nn.Module] = []
        for step in (steps := sub_pixel_steps(scale)):
            wide = nn.Conv2d(channels, channels * step**2, 3, padding=1, bias=bias)
            tail += [wide, nn.PixelShuffle(step), prelu(tail_prelu)]
        tail[-2] = nn.Identity()  # the last shuffle, which the last convolution does
        self.tail = nn.Sequential(*tail, ShuffledConv2d(channels, 3, 9, steps[-1], bias=bias))

    @property
    def receptive_field(self) -> int:
        blocks = len([layer for layer in self.trunk if isinstance(layer, Residual)])
        trunk = 2 * blocks + 1
        sub_pixel = len(sub_pixel_steps(self.scale))
        return 4 + trunk + sub_pixel + 4

    def forward(self, x: Tensor) -> Tensor:
        features = self.head(x)
        output = self.tail(features + self.trunk(features))
        return output + enlarge_bicubic(x, self.scale) if self.bicubic_skip else output


class Residual(nn.Sequential):
    """Layers whose output is added to their input."""

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)
