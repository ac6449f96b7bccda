"""Losses of the generator and the discriminator, all as means, all in float32.

Pictures are (N, 3, H, W), RGB; the target is in [0, 1], the generator's output is not clamped.
Logits are (N, 1), higher is more real.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def charbonnier(sr: Tensor, hr: Tensor, *, epsilon: float = 1e-3) -> Tensor:
    """An L1 loss that is smooth at 0. Source: Lai et al. 2017, https://arxiv.org/abs/1704.03915."""
    return torch.sqrt((sr - hr).square() + epsilon**2).mean()


def fft_l1(sr: Tensor, hr: Tensor) -> Tensor:
    """The L1 distance of the two pictures' spectra (orthonormal, real and imaginary parts).

    Source: Sun et al. 2023 (SAFMN), eq. 8, https://arxiv.org/abs/2302.13800.
    """
    difference = torch.fft.rfft2(sr - hr, norm="ortho")
    return torch.view_as_real(difference).abs().mean()


PIXEL_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": F.l1_loss,
    "mse": F.mse_loss,
    "smooth_l1": F.smooth_l1_loss,
    "charbonnier": charbonnier,
    "fft_l1": fft_l1,
}
"""Losses that compare a picture with its target and need nothing else."""


def feature_distance(
    sr: dict[str, Tensor], hr: dict[str, Tensor], weights: dict[str, float]
) -> Tensor:
    """The weighted sum of the L1 distances of two sets of feature maps."""
    return sum(weight * F.l1_loss(sr[name].float(), hr[name].float()) for name, weight in weights.items())


def generator_adversarial(kind: str, real: Tensor, fake: Tensor) -> Tensor:
    """What the generator gains by being taken for real, as a loss.

    `kind` is "vanilla" (the minimax game: log(1 - D(G))), "non-saturating" (-log D(G), Goodfellow et
    al. 2014, section 3) or "relativistic" (average, Wang et al. 2018, eq. 2, there with both terms).
    """
    if kind == "vanilla":
        return -F.softplus(fake).mean()
    if kind == "non-saturating":
        return F.softplus(-fake).mean()
    return (F.softplus(real - fake.mean()).mean() + F.softplus(real.mean() - fake).mean()) / 2


def discriminator_adversarial(kind: str, real: Tensor, fake: Tensor) -> Tensor:
    """The cross-entropy of the discriminator; relative to the mean of the other kind if relativistic."""
    if kind == "relativistic":
        real, fake = real - fake.mean(), fake - real.mean()
    return (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2
