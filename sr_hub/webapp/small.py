"""The small picture of the Compare page: made from the true one, or a visitor's own."""

import torch
from torch import Tensor

from sr_hub.degrade import blur, downscale, jpeg, modcrop, quantise
from sr_hub.errors import SRHubError
from sr_hub.pairs import fit_pair
from sr_hub.webapp.i18n import VisitorError

SCALE = 4
"""How many times larger the true picture is."""

SMALLEST = 20
"""Least side of the true picture, in pixels: SSIM looks at 11 x 11 of them, and protocol y crops 4
on each side. The blur needs 10."""


def make_small(hr: Tensor, sigma: float, noise: float, quality: int) -> Tensor:
    """`hr` made four times smaller, as a real file may have been.

    Args:
        hr: (1, 3, H, W), RGB in [0, 1].
        sigma: of the Gaussian blur before, in pixels of `hr`; 0 for none.
        noise: of the Gaussian noise after, of 255; 0 for none. Always the same noise.
        quality: of JPEG at the end, 1 to 99; 100 for none.

    Returns:
        (1, 3, H // 4, W // 4), of the 256 values of an 8-bit file.

    Raises:
        VisitorError: if the picture is too small for it.
    """
    _check_sides(hr)
    if sigma:
        hr = blur(hr, torch.tensor([[sigma, sigma]]), torch.zeros(1))
    lr = downscale(modcrop(hr, SCALE), SCALE)
    if noise:
        generator = torch.Generator().manual_seed(0)
        lr = lr + torch.randn(lr.shape, generator=generator) * noise / 255
    return jpeg(lr, torch.tensor([float(quality)])) if quality < 100 else quantise(lr)


def fit_small(lr: Tensor, hr: Tensor) -> tuple[Tensor, Tensor]:
    """A visitor's own small picture, and the true one cut to four times its size.

    Raises:
        VisitorError: if the true picture is too small, or the other is not a quarter of it.
    """
    _check_sides(hr)
    try:
        return fit_pair(hr, lr, SCALE)
    except SRHubError:
        needed = _size(modcrop(hr, SCALE)[..., ::SCALE, ::SCALE])
        raise VisitorError("small_does_not_fit", _size(lr), _size(hr), needed) from None


def _check_sides(picture: Tensor) -> None:
    if min(picture.shape[-2:]) < SMALLEST:
        raise VisitorError("too_small", _size(picture), str(SMALLEST))


def _size(picture: Tensor) -> str:
    return f"{picture.shape[-1]} × {picture.shape[-2]}"
