"""High resolution to low resolution, as the super-resolution literature does it.

`downscale` is the antialiased bicubic (a = -0.5) of MATLAB's `imresize`, which made the public
low-resolution files of Set5, Set14 and BSD100. Blur, noise and JPEG are options on top.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SUPPORT = 2
"""Low-resolution pixels to each side that `downscale` looks at; a crop with this much more around
it, degraded and trimmed, equals the crop of the degraded picture."""


def modcrop(image: Tensor, scale: int) -> Tensor:
    """`image` (..., H, W) cut at the right and bottom so that H and W are multiples of `scale`."""
    height, width = image.shape[-2:]
    return image[..., : height - height % scale, : width - width % scale]


def downscale(hr: Tensor, scale: int) -> Tensor:
    """`hr` reduced by the literature's antialiased bicubic.

    (N, C, scale * H, scale * W) in [0, 1] -> (N, C, H, W), not clamped.

    Raises:
        ValueError: if the height or width is not a multiple of `scale`; `modcrop` makes it so.
    """
    height, width = hr.shape[-2:]
    if height % scale or width % scale:
        raise ValueError(f"{width}x{height} is not a multiple of {scale}: modcrop it first")
    size = (height // scale, width // scale)
    return F.interpolate(hr, size=size, mode="bicubic", antialias=True, align_corners=False)


def quantise(image: Tensor) -> Tensor:
    """`image` in [0, 1] clamped and rounded to the 256 values that an 8-bit file can hold."""
    return torch.round(image.clamp(0, 1) * 255) / 255
