"""FSIM as the main report measured it: the arithmetic of the package image-similarity-measures.

Phase congruency after Kovesi, per RGB channel, the mean of three channels. Two habits of that
package are part of its numbers and are kept: gradients are held in unsigned 16 bits, so that
falling edges become 0 and squares wrap around at 65536; and phase congruency is summed, not
averaged, over the six orientations. The values are therefore lower than those of other
implementations and can be compared with the report's tables only.

The complex filter of an orientation is split into its even and its odd half, so that every response
is real and one real inverse FFT gives it; the filters of the last picture sizes are remembered.
`describe` is the costly part: describe the ground truth once and compare every result with it.

Sources: Zhang, Zhang, Mou and Zhang 2011, https://doi.org/10.1109/TIP.2011.2109730 (FSIM);
Kovesi 1999, Videre 1(3) (phase congruency); image-similarity-measures 0.3.6 and phasepack 1.5
(which parameters, borders and number formats).
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SCALES = 4
ORIENTATIONS = 6
SMALLEST_WAVELENGTH = 6  # pixels; each further scale doubles it
BANDWIDTH = 0.5978  # of a log-Gabor filter: sigma over centre frequency
LOWPASS_CUTOFF, LOWPASS_ORDER = 0.45, 15  # Butterworth; keeps the spectrum's corners out
NOISE_DEVIATIONS = 2.0  # noise is what lies below its mean plus this many deviations
SPREAD_CUTOFF, SPREAD_GAIN = 0.5, 10.0  # penalty on responses of one scale only
EPSILON = 1e-4
T1, T2 = 0.85, 160.0  # Zhang et al., section III: stabilise the two similarities
MIN_SIZE = 2
"""Pixels a side must have for the filters to exist."""


class Features(NamedTuple):
    """What FSIM compares of a picture: two maps of (C, H, W)."""

    phase: Tensor
    gradient: Tensor


def describe(image: Tensor) -> Features:
    """Phase congruency and gradient of `image` (C, H, W) in [0, 1], rounded to 8 bits here."""
    levels = torch.round(image.detach().float().clamp(0, 1) * 255)
    if min(levels.shape[-2:]) < MIN_SIZE:
        undefined = torch.full_like(levels, math.nan)
        return Features(undefined, undefined)
    phase = torch.stack([_phase_congruency(channel) for channel in levels])
    return Features(phase, _gradient(levels))


def compare(first: Features, second: Features) -> float:
    """FSIM of two described pictures of one size, in [0, 1]; 1 for equal ones; symmetric.

    NaN for a side under 2 pixels. A channel without structure in both pictures, where the package
    divides 0 by 0, counts as 1 if its gradients are equal and is NaN otherwise.
    """
    weight = torch.maximum(first.phase, second.phase)
    score = _similarity(first.phase, second.phase, T1)
    score *= _similarity(first.gradient, second.gradient, T2)
    total = weight.sum((-2, -1), dtype=torch.float64)
    channels = (score * weight).sum((-2, -1), dtype=torch.float64) / total
    structureless = (total == 0) & ((first.gradient == second.gradient).all(-1).all(-1))
    return float(torch.where(structureless, 1.0, channels).mean())


def _similarity(x: Tensor, y: Tensor, constant: float) -> Tensor:
    return (2 * x * y + constant) / (x * x + y * y + constant)


def _gradient(levels: Tensor) -> Tensor:
    """Scharr gradient magnitude of (C, H, W) in 0..255, with the limits of unsigned 16 bits."""
    rising = torch.tensor([[-3.0, 0.0, 3.0], [-10.0, 0.0, 10.0], [-3.0, 0.0, 3.0]])
    kernels = torch.stack([rising, rising.T])[:, None].to(levels)
    padded = F.pad(levels[:, None], (1, 1, 1, 1), mode="reflect")
    squares = F.conv2d(padded, kernels).clamp_(min=0).square_().remainder_(65536)
    return squares.sum(1).remainder_(65536).sqrt_()


def _phase_congruency(levels: Tensor) -> Tensor:
    """Phase congruency of one channel (H, W), summed over the orientations."""
    height, width = levels.shape
    radial, even, odd = _filters(height, width, levels.device)
    spectrum = torch.fft.rfft2(levels) * radial
    total = torch.zeros_like(levels)
    for even_half, odd_half in zip(even, odd, strict=True):
        response = torch.fft.irfft2(spectrum * even_half, s=(height, width))
        quadrature = torch.fft.irfft2(spectrum * odd_half, s=(height, width))
        total += _congruency_of_orientation(response, quadrature)
    return total


def _congruency_of_orientation(even: Tensor, odd: Tensor) -> Tensor:
    """Phase congruency (H, W) from the responses (SCALES, H, W) of a filter and its quadrature."""
    amplitude = torch.hypot(even, odd)
    amplitude_sum = amplitude.sum(0)
    even_sum, odd_sum = even.sum(0), odd.sum(0)
    length = torch.hypot(even_sum, odd_sum)
    mean_even, mean_odd = even_sum / (length + EPSILON), odd_sum / (length + EPSILON)
    energy = length.square() / (length + EPSILON)
    energy -= (even * mean_odd - odd * mean_even).abs().sum(0)
    energy = (energy - _noise_threshold(amplitude[0])).clamp_(min=0)
    spread = (amplitude_sum / (amplitude.amax(0) + EPSILON) - 1) / (SCALES - 1)
    weight = torch.sigmoid(SPREAD_GAIN * (spread - SPREAD_CUTOFF))
    return weight * energy / amplitude_sum.clamp(min=torch.finfo(even.dtype).tiny)


def _noise_threshold(amplitude: Tensor) -> float:
    """What noise alone reaches, from the median `amplitude` (H, W) of the smallest scale.

    Noise amplitudes follow a Rayleigh distribution, and each next scale sees half as much of it.
    """
    rayleigh = float(np.median(amplitude.cpu().numpy())) / math.sqrt(math.log(4))
    rayleigh *= sum(0.5**scale for scale in range(SCALES))
    mean, deviation = math.sqrt(math.pi / 2), math.sqrt((4 - math.pi) / 2)
    return max(rayleigh * (mean + NOISE_DEVIATIONS * deviation), EPSILON)


@lru_cache(maxsize=4)
def _filters(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Radial (SCALES, H, W/2+1), even and odd angular filters (ORIENTATIONS, 1, H, W/2+1).

    Angular filters are one-sided; an even and an odd half, mirrored through the origin of the
    discrete spectrum, add up to them.
    """
    y, x = torch.meshgrid(_frequencies(height), _frequencies(width), indexing="ij")
    radius = torch.hypot(x, y)
    lowpass = 1 / (1 + (radius / LOWPASS_CUTOFF) ** (2 * LOWPASS_ORDER))
    radius[0, 0] = 1.0
    wavelengths = [SMALLEST_WAVELENGTH * 2**scale for scale in range(SCALES)]
    radial = torch.stack(
        [torch.exp(-(((radius * w).log() / math.log(BANDWIDTH)) ** 2) / 2) for w in wavelengths]
    )
    radial *= lowpass
    radial[:, 0, 0] = 0
    angles = torch.arange(ORIENTATIONS, dtype=x.dtype) * (math.pi / ORIENTATIONS)
    distance = torch.atan2(-y, x) - angles[:, None, None]
    distance = torch.atan2(distance.sin(), distance.cos()).abs()
    angular = (1 + torch.cos((distance * ORIENTATIONS / 2).clamp(max=math.pi))) / 2
    mirrored = angular.flip((-2, -1)).roll((1, 1), (-2, -1))
    half = width // 2 + 1
    even = ((angular + mirrored) / 2)[:, None, :, :half]
    odd = ((angular - mirrored) / 2j)[:, None, :, :half]
    return (
        radial[..., :half].float().to(device),
        even.float().to(device),
        odd.to(torch.complex64).to(device),
    )


def _frequencies(size: int) -> Tensor:
    """Frequencies of an FFT, -0.5 to 0.5; of an odd size, stretched to reach both ends."""
    if size % 2:
        return torch.fft.ifftshift(torch.linspace(-0.5, 0.5, size, dtype=torch.float64))
    return torch.fft.fftfreq(size, dtype=torch.float64)
