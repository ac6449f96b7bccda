"""SRCNN: the first network for super-resolution, three layers on the enlarged input."""

from torch import Tensor, nn

from sr_hub.base import SRModel
from sr_hub.blocks import enlarge_bicubic


class SRCNN(SRModel):
    """Three convolutions of 9, 1 and 5 pixels over the bicubic enlargement of the input.

    Args:
        scale: 2, 3 or 4.
        bicubic_skip: the layers predict what the enlargement lacks instead of the whole picture.

    20,099 parameters: the original 9-1-5 with 64 and 32 channels, on RGB instead of luma.

    Source: Dong et al. 2015, section 3, https://arxiv.org/abs/1501.00092.
    """

    def __init__(self, *, scale: int = 4, bicubic_skip: bool = True) -> None:
        super().__init__(scale=scale)
        self.bicubic_skip = bicubic_skip
        self.layers = nn.Sequential(
            nn.Conv2d(3, 64, 9, padding=4),
            nn.ReLU(inplace=True),
            nn.Conv2d(64, 32, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(32, 3, 5, padding=2),
        )

    @property
    def receptive_field(self) -> int:
        enlarged = 4 + 2
        return 2 + -(-enlarged // self.scale)

    def forward(self, x: Tensor) -> Tensor:
        enlarged = enlarge_bicubic(x, self.scale)
        output = self.layers(enlarged.to(self.layers[0].weight.dtype))
        return output + enlarged if self.bicubic_skip else output
