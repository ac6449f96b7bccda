"""Interpolation as a model without weights: the baselines of every table."""

import torch.nn.functional as F
from torch import Tensor

from sr_hub.base import SRModel
from sr_hub.blocks import enlarge_bicubic
from sr_hub.errors import SRHubError

MODES = ("nearest", "bilinear", "bicubic", "bicubic-opencv")


class Interpolation(SRModel):
    """Enlarges by a fixed kernel. 0 parameters.

    Args:
        scale: 1 to 8.
        mode: "nearest", "bilinear", "bicubic" (a = -0.5: MATLAB, Pillow, the literature's tables)
            or "bicubic-opencv" (a = -0.75: OpenCV, PyTorch, the main report's tables).

    Source: Keys 1981, https://doi.org/10.1109/TASSP.1981.1163711, for the cubic kernels.
    """

    scales = (1, 2, 3, 4, 5, 6, 7, 8)

    def __init__(self, *, scale: int = 4, mode: str = "bicubic") -> None:
        super().__init__(scale=scale)
        if mode not in MODES:
            raise SRHubError(f"mode={mode!r} is not one of {', '.join(MODES)}")
        self.mode = mode

    @property
    def receptive_field(self) -> int:
        return 2

    def forward(self, x: Tensor) -> Tensor:
        if self.mode == "bicubic-opencv":
            return enlarge_bicubic(x, self.scale)
        if self.mode == "nearest":
            return F.interpolate(x, scale_factor=float(self.scale), mode="nearest")
        size = (x.shape[-2] * self.scale, x.shape[-1] * self.scale)
        # With antialias the cubic kernel is that of MATLAB and Pillow; when enlarging, the filter
        # itself changes nothing else.
        antialias = self.mode == "bicubic"
        return F.interpolate(
            x.float(), size=size, mode=self.mode, antialias=antialias, align_corners=False
        )
