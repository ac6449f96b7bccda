"""Losses of the generator and the discriminator: all means, all in float32.

Pictures are (N, 3, H, W), RGB; the target is in [0, 1], the generator's output is not clamped.
Logits are (N, 1), higher is more real.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from sr_hub.degrade import modcrop

RGB_TO_XYZ = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)  # sRGB primaries, white of daylight D65

D65_WHITE = (0.950456, 1.0, 1.088754)

RUN = 8
"""Pixels of a run of `line_l1`: a run of 16 let lines pass that lean by 15 degrees."""

BLOCK = 32
"""Side of a block of `spectral_excess`, in pixels; the next block begins half a side further on."""


def charbonnier(sr: Tensor, hr: Tensor, *, epsilon: float = 1e-3) -> Tensor:
    """An L1 loss that is smooth at 0. Source: Lai et al. 2017, https://arxiv.org/abs/1704.03915."""
    return torch.sqrt((sr - hr).square() + epsilon**2).mean()


def fft_l1(sr: Tensor, hr: Tensor) -> Tensor:
    """The L1 distance of the two pictures' spectra (orthonormal, real and imaginary parts).

    Source: Sun et al. 2023 (SAFMN), section 3.3, https://arxiv.org/abs/2302.13800.
    """
    return torch.view_as_real(torch.fft.rfft2(sr - hr, norm="ortho")).abs().mean()


def grid_l1(sr: Tensor, hr: Tensor) -> Tensor:
    """How far the mean error of a patch differs from 0 at each place of the 4 x 4 sub-pixel grid.

    A pattern that repeats every one, two or four pixels costs L1 little where there is texture, and
    gains in VGG19's eyes; here it has nowhere to hide.
    """
    return F.pixel_unshuffle(modcrop(sr - hr, 4), 4).mean((2, 3)).abs().mean()


def line_l1(sr: Tensor, hr: Tensor) -> Tensor:
    """How far the mean error of a run of 8 pixels differs from those of the runs beside it.

    The runs lie along rows and along columns, and the difference is the second one across them.
    Against the fine horizontal and vertical lines (period 2.5 pixels at scale 4) that VGG19's loss
    rewards in smooth texture: L1 sees little of them, the mean of a run sees little else.
    """
    error = sr - hr
    run = min(RUN, *error.shape[-2:])
    rows = F.avg_pool2d(error, (1, run), (1, max(run // 2, 1))).diff(n=2, dim=2)
    columns = F.avg_pool2d(error, (run, 1), (max(run // 2, 1), 1)).diff(n=2, dim=3)
    return (rows.abs().mean() + columns.abs().mean()) / 2


def spectral_excess(sr: Tensor, hr: Tensor) -> Tensor:
    """By how much the mean power spectrum of blocks of 32 pixels lies above the target's.

    The mean over all frequencies of the logarithm of the ratio, where it is above 0: a texture may
    be weaker than the target's, but has no pattern of its own. Each block counts in units of its
    target's power plus that of a noise of one grey level, so that smooth blocks count too.
    """
    side = min(BLOCK, *sr.shape[-2:])
    window = torch.hann_window(side, device=sr.device)
    window = window[:, None] * window
    sr_power, hr_power = (_block_power(x, window) for x in (sr, hr))
    noise = (1 / 255) ** 2 * window.square().sum() * hr_power[0].numel()
    unit = hr_power.sum((1, 2), keepdim=True) + noise
    sr_mean, hr_mean = ((power / unit).mean(0) + 1e-9 for power in (sr_power, hr_power))
    return F.relu(sr_mean.log() - hr_mean.log()).mean()


def lab_mse(sr: Tensor, hr: Tensor) -> Tensor:
    """MSE in CIE Lab, each axis divided by 100: a distance that follows the eye more than RGB's."""
    return F.mse_loss(rgb_to_lab(sr), rgb_to_lab(hr))


def hsv_mse(sr: Tensor, hr: Tensor) -> Tensor:
    """MSE in the HSV cone (chroma as a point of the plane, and value), where hue has no seam."""
    return F.mse_loss(rgb_to_hsv_cone(sr), rgb_to_hsv_cone(hr))


PIXEL_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": F.l1_loss,
    "mse": F.mse_loss,
    "smooth_l1": F.smooth_l1_loss,
    "charbonnier": charbonnier,
    "fft_l1": fft_l1,
    "grid_l1": grid_l1,
    "line_l1": line_l1,
    "spectral_excess": spectral_excess,
    "lab_mse": lab_mse,
    "hsv_mse": hsv_mse,
}
"""Losses that compare a picture with its target and need nothing else."""

LOSSES = (*PIXEL_LOSSES, "perceptual", "adversarial")
"""Every loss that a generator can have."""


def _block_power(x: Tensor, window: Tensor) -> Tensor:
    """Power spectra of the half-overlapping blocks of each channel: (B, side, side // 2 + 1)."""
    side = len(window)
    blocks = F.unfold(x.flatten(0, 1)[:, None], side, stride=max(side // 2, 1)).transpose(1, 2)
    blocks = blocks.reshape(-1, side, side)
    blocks = blocks - blocks.mean((1, 2), keepdim=True)
    return torch.fft.rfft2(blocks * window).abs().square()


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """SRGB in [0, 1] -> (L, a, b) / 100, (N, 3, H, W); L in [0, 1], a and b about [-1, 1].

    Values outside [0, 1] are clamped; the gradient there is 0.

    Source: CIE 1976 L*a*b*, white D65, as scikit-image computes it.
    """
    rgb = rgb.clamp(0, 1)
    linear = torch.where(
        rgb > 0.04045, ((rgb.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4, rgb / 12.92
    )
    xyz = torch.einsum("ij,njhw->nihw", rgb.new_tensor(RGB_TO_XYZ), linear)
    xyz = xyz / rgb.new_tensor(D65_WHITE)[:, None, None]
    bent = torch.where(xyz > 0.008856, xyz.clamp_min(0.008856) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = bent.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1) / 100


def rgb_to_hsv_cone(rgb: Tensor) -> Tensor:
    """RGB -> (chroma x cos hue, chroma x sin hue, value), (N, 3, H, W).

    Hue is the angle of the hexagon; the cone makes two hues near 0 and 360 degrees neighbours and
    lets the hue of a grey pixel count for nothing.
    """
    value, least = rgb.amax(1), rgb.amin(1)
    chroma = value - least
    red, green, blue = rgb.unbind(1)
    safe = torch.where(chroma > 1e-6, chroma, torch.ones_like(chroma))
    sector = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    angle = sector * (torch.pi / 3)
    return torch.stack([chroma * angle.cos(), chroma * angle.sin(), value], dim=1)


def feature_distance(
    sr: dict[str, Tensor], hr: dict[str, Tensor], weights: dict[str, float], norm: str
) -> Tensor:
    """The weighted sum of the distances of two sets of feature maps; `norm` is "l1" or "mse"."""
    distance = F.l1_loss if norm == "l1" else F.mse_loss
    return sum(w * distance(sr[name].float(), hr[name].float()) for name, w in weights.items())


def generator_adversarial(kind: str, real: Tensor, fake: Tensor) -> Tensor:
    """What the generator pays for not being taken for real.

    `kind` is "vanilla" (log(1 - D), the minimax game), "non-saturating" (-log D; Goodfellow et al.
    2014, section 3) or "relativistic" (against the mean of the real; Wang et al. 2018, eq. 2).
    """
    if kind == "vanilla":
        return -F.softplus(fake).mean()
    if kind == "non-saturating":
        return F.softplus(-fake).mean()
    return (F.softplus(real - fake.mean()).mean() + F.softplus(real.mean() - fake).mean()) / 2


def discriminator_adversarial(kind: str, real: Tensor, fake: Tensor) -> Tensor:
    """The cross-entropy of the discriminator.

    At `kind` "relativistic" each logit is taken against the mean of the other kind of picture.
    """
    if kind == "relativistic":
        real, fake = real - fake.mean(), fake - real.mean()
    return (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2
