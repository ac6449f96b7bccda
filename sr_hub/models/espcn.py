"""ESPCN: three layers on the small input, and one sub-pixel step at the end."""

from torch import Tensor, nn

from sr_hub.base import SRModel
from sr_hub.blocks import enlarge_bicubic


class ESPCN(SRModel):
    """Convolutions of 5, 3 and 3 pixels at low resolution, then sub-pixel enlargement.

    Args:
        scale: 2, 3 or 4.
        bicubic_skip: add the bicubic enlargement of the input to the output.

    37,200 parameters at scale 4: 64 and 32 channels with tanh, on RGB instead of luma.

    Source: Shi et al. 2016, section 3, https://arxiv.org/abs/1609.05158.
    """

    def __init__(self, *, scale: int = 4, bicubic_skip: bool = True) -> None:
        super().__init__(scale=scale)
        self.bicubic_skip = bicubic_skip
        self.layers = nn.Sequential(
            nn.Conv2d(3, 64, 5, padding=2),
            nn.Tanh(),
            nn.Conv2d(64, 32, 3, padding=1),
            nn.Tanh(),
            nn.Conv2d(32, 3 * scale**2, 3, padding=1),
            nn.PixelShuffle(scale),
        )

    @property
    def receptive_field(self) -> int:
        return 2 + 1 + 1

    def forward(self, x: Tensor) -> Tensor:
        output = self.layers(x)
        return output + enlarge_bicubic(x, self.scale) if self.bicubic_skip else output
