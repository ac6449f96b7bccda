"""Results that hold to their input: made small again, they are it.

A network may shift a colour or lose a weak line of its input. What the result, made small again by
the bicubic of the literature, lacks of the input is enlarged and added, a few times over. It suits
inputs that were made small like that; of noise or JPEG blocks in others it brings all back.

Source: Irani & Peleg 1991, "Improving resolution by image registration" (iterative back
projection); the aim, for networks: Bahat & Michaeli 2020, https://arxiv.org/abs/1910.01839.
"""

from torch import Tensor

from sr_hub.degrade import SUPPORT, downscale, resize_bicubic

STEPS = 3
"""Corrections; then what is lacking is below half of an 8-bit value, as a rule."""

REACH = 2 * SUPPORT * STEPS
"""Low-resolution pixels to each side that a corrected pixel depends on."""


def hold_to(lr: Tensor, sr: Tensor) -> Tensor:
    """`sr`, corrected until it becomes `lr` when it is made small, but for what rounding changes.

    `lr` (N, 3, H, W) and `sr` (N, 3, scale * H, scale * W), both in [0, 1]; so is the result.
    """
    scale = sr.shape[-1] // lr.shape[-1]
    for _ in range(STEPS):
        lacking = lr - downscale(sr, scale, rounded=False)
        sr = (sr + resize_bicubic(lacking, sr.shape[-2:])).clamp_(0, 1)
    return sr
