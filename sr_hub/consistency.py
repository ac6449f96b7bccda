"""Results that hold to their input: made small again, they are it.

A network may shift a colour or lose a weak line of its input. What the result, made small again by
the bicubic of the literature, lacks of the input is enlarged and added, a few times over. It suits
inputs that were made small like that; of noise or JPEG blocks in others it brings all back.

Source: Irani & Peleg 1991, "Improving resolution by image registration" (iterative back
projection); the aim, for networks: Bahat & Michaeli 2020, https://arxiv.org/abs/1910.01839.
"""

import torch.nn.functional as F
from torch import Tensor

from sr_hub.degrade import SUPPORT, downscale

STEPS = 3
"""Corrections; then what is lacking is below half of an 8-bit value, as a rule."""

REACH = 2 * SUPPORT * STEPS
"""Low-resolution pixels to each side that a corrected pixel depends on."""


def hold_to(lr: Tensor, sr: Tensor) -> Tensor:
    """`sr`, changed as little as need be to become `lr` when it is made small.

    `lr` (N, 3, H, W) and `sr` (N, 3, scale * H, scale * W), both in [0, 1]; so is the result.
    """
    scale = sr.shape[-1] // lr.shape[-1]
    for _ in range(STEPS):
        lacking = lr - downscale(sr, scale, rounded=False)
        sr = (sr + _enlarged(lacking, scale)).clamp_(0, 1)
    return sr


def _enlarged(image: Tensor, scale: int) -> Tensor:
    """By the bicubic with the border pixels repeated outwards, as `downscale` has it."""
    padded = F.pad(image, [SUPPORT] * 4, mode="replicate")
    size = [scale * side for side in padded.shape[-2:]]
    border = slice(SUPPORT * scale, -SUPPORT * scale)
    enlarged = F.interpolate(padded, size=size, mode="bicubic", antialias=True, align_corners=False)
    return enlarged[..., border, border]
