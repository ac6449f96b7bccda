"""RMSE, PSNR, SSIM and FSIM, under protocols that are named beside every number.

Pictures are tensors (1, 3, H, W), RGB in [0, 1]. Results are rounded to 8 bits before they are
measured, because that is what a saved file holds. A number that is not defined for a picture is
NaN, and `why_undefined` says why. Nothing here loads, resizes or crops a ground truth: pairs that
do not fit are refused.
"""

import math
from enum import StrEnum

import torch
from torch import Tensor

from sr_hub import torchvision_repair
from sr_hub.degrade import downscale, quantise
from sr_hub.errors import SRHubError
from sr_hub.fsim import MIN_SIZE as FSIM_MIN_SIZE
from sr_hub.fsim import Features, compare, describe

torchvision_repair.install()

import piq  # noqa: E402

LUMA = (65.481, 128.553, 24.966)
"""ITU-R BT.601 studio range: what full red, green and blue add to a luma of 16, of 255."""

METRICS = ("psnr", "ssim", "fsim", "rmse")
"""The four of the main report, in the order of a table."""

SSIM_WINDOW = 11
REPORT_PEAK = 4095
"""What the report's package divides an RMSE by: the peak of 12-bit pictures."""

LPIPS_MIN_SIZE = 17
"""Pixels a side must have for the last layer of SqueezeNet to see anything."""


class Protocol(StrEnum):
    """How a result is compared with its ground truth: channels, border and number formats."""

    Y = "y"
    RGB = "rgb"
    REPORT = "report"

    @property
    def definition(self) -> str:
        """One sentence to be shown beside every number."""
        return _DEFINITIONS[self]


_DEFINITIONS = {
    Protocol.Y: (
        "BT.601 studio-range luma of the 8-bit result, a border of `scale` pixels cropped, as in "
        "the tables of the literature; PSNR at peak 255, RMSE as a fraction of it; SSIM with "
        "Gaussian window 11x11, sigma 1.5; FSIM of piq on luma"
    ),
    Protocol.RGB: (
        "all RGB channels of the 8-bit result, no border cropped; PSNR at peak 255, RMSE as a "
        "fraction of it; SSIM with Gaussian window 11x11, sigma 1.5, mean of channels; FSIM of "
        "piq with colour (FSIMc)"
    ),
    Protocol.REPORT: (
        "as the main report: RGB of the 8-bit result, no border cropped; PSNR at peak 255; SSIM "
        "with Gaussian window 11x11, sigma 1.5; RMSE of 8-bit values over all channels, divided by "
        "4095; FSIM as in the package image-similarity-measures, per channel, mean"
    ),
}


def measure(
    sr: Tensor,
    hr: Tensor,
    protocol: Protocol | str,
    scale: int,
    *,
    truth: Features | None = None,
) -> dict[str, float]:
    """The four metrics of one result under one protocol.

    Args:
        sr: result (1, 3, H, W) in [0, 1].
        hr: ground truth of the same shape.
        protocol: `y`, `rgb` or `report`.
        scale: enlargement factor, which is also the border that `y` crops, in pixels.
        truth: `fsim.describe(hr[0])`, if it is at hand; it saves `report` half of its time.

    Returns:
        "psnr" in dB (infinite for equal pictures), "ssim", "fsim", "rmse"; NaN where not defined.

    Raises:
        SRHubError: if the shapes differ or the protocol is unknown.
    """
    protocol = parse_protocol(protocol)
    check_pair(sr, hr)
    sr, hr = quantise(sr.detach().float()), quantise(hr.detach().float())
    if protocol is Protocol.Y:
        sr, hr = (luma(crop_border(image, scale)) for image in (sr, hr))
    values = {"psnr": psnr(sr, hr), "ssim": ssim(sr, hr)}
    if protocol is Protocol.REPORT:
        values["fsim"] = compare(describe(sr[0]), truth or describe(hr[0]))
        values["rmse"] = rmse(sr, hr) * 255 / REPORT_PEAK
    else:
        values["fsim"] = fsim(sr, hr)
        values["rmse"] = rmse(sr, hr)
    return values


def parse_protocol(name: Protocol | str) -> Protocol:
    """The protocol of that name.

    Raises:
        SRHubError: if there is none.
    """
    try:
        return Protocol(name)
    except ValueError:
        known = ", ".join(Protocol)
        raise SRHubError(f"no protocol {str(name)!r}: it is one of {known}") from None


def check_pair(sr: Tensor, hr: Tensor) -> None:
    """Refuse a result and a ground truth that cannot be compared pixel by pixel.

    Raises:
        SRHubError: if the shapes differ or are not (1, 3, H, W) with H and W from 1.
    """
    if sr.shape != hr.shape:
        raise SRHubError(
            f"the result is {_size(sr)}, the ground truth {_size(hr)}: same size needed"
        )
    if sr.ndim != 4 or sr.shape[:2] != (1, 3) or not sr.numel():
        raise SRHubError(f"one RGB picture (1, 3, H, W) is measured, not {tuple(sr.shape)}")


def luma(image: Tensor) -> Tensor:
    """BT.601 studio-range luma (N, 1, H, W), 16/255 to 235/255, of RGB (N, 3, H, W) in [0, 1]."""
    weights = torch.tensor(LUMA, dtype=torch.float64, device=image.device)[:, None, None]
    return (((image.double() * weights).sum(1, keepdim=True) + 16) / 255).to(image.dtype)


def crop_border(image: Tensor, border: int) -> Tensor:
    """`image` (..., H, W) without `border` pixels at each side; may be empty."""
    height, width = image.shape[-2:]
    return image[..., border : max(height - border, border), border : max(width - border, border)]


def rmse(x: Tensor, y: Tensor) -> float:
    """Root of the mean squared difference of two tensors of any one shape; NaN if empty."""
    return math.sqrt(_mean_squared_error(x, y)) if x.numel() else math.nan


def psnr(x: Tensor, y: Tensor) -> float:
    """Peak signal-to-noise ratio in dB at peak 1: -10 log10(MSE); infinite for equal tensors."""
    if not x.numel():
        return math.nan
    error = _mean_squared_error(x, y)
    return -10 * math.log10(error) if error else math.inf


def ssim(x: Tensor, y: Tensor) -> float:
    """Structural similarity, mean over channels and places; NaN under 11 pixels a side.

    Tensors (1, C, H, W) in [0, 1]. Gaussian window 11x11 of sigma 1.5, k1 = 0.01, k2 = 0.03, only
    whole windows, no downsampling.

    Source: Wang, Bovik, Sheikh and Simoncelli 2004, https://doi.org/10.1109/TIP.2003.819861.
    """
    if min(x.shape[-2:]) < SSIM_WINDOW:
        return math.nan
    return float(piq.ssim(x, y, kernel_size=SSIM_WINDOW, kernel_sigma=1.5, downsample=False))


def fsim(x: Tensor, y: Tensor) -> float:
    """Feature similarity as piq has it; NaN under 2 pixels a side.

    Tensors (1, C, H, W) in [0, 1]: one channel, or RGB, where colour counts too (FSIMc). Pictures
    whose shorter side passes 384 pixels are averaged down to about 256, as in the original.

    Source: Zhang, Zhang, Mou and Zhang 2011, https://doi.org/10.1109/TIP.2011.2109730.
    """
    if min(x.shape[-2:]) < FSIM_MIN_SIZE:
        return math.nan
    return float(piq.fsim(x, y, chromatic=x.shape[1] == 3))


def consistency(sr: Tensor, lr: Tensor, scale: int) -> float:
    """How much of the input a result has kept: PSNR in dB of the result degraded again.

    The result is rounded to 8 bits, reduced by the literature's bicubic, rounded again and compared
    with the input over all RGB channels. It needs no ground truth.

    Args:
        sr: result (1, 3, scale * H, scale * W) in [0, 1].
        lr: input (1, 3, H, W) in [0, 1].
        scale: enlargement factor.

    Raises:
        SRHubError: if the sizes do not fit.
    """
    if sr.shape[-2:] != (lr.shape[-2] * scale, lr.shape[-1] * scale):
        raise SRHubError(f"{_size(sr)} is not {scale} times {_size(lr)}")
    again = quantise(downscale(quantise(sr.detach().float()), scale))
    return psnr(again, quantise(lr.detach().float()))


def why_undefined(
    metric: str, height: int, width: int, protocol: Protocol | str, scale: int
) -> str:
    """Why a metric came out NaN for a ground truth of `height` x `width` pixels: a sentence."""
    size, border = f"{width}x{height}", scale if parse_protocol(protocol) is Protocol.Y else 0
    if metric == "lpips":
        border = 0
    side = min(height, width) - 2 * border
    if side <= 0:
        return f"nothing is left of {size} when a border of {border} pixels is cropped"
    needed = {"ssim": SSIM_WINDOW, "fsim": FSIM_MIN_SIZE, "lpips": LPIPS_MIN_SIZE}.get(metric, 1)
    if side < needed:
        cropped = f" after a border of {border} is cropped" if border else ""
        return f"{metric.upper()} needs {needed} pixels a side, {size} has {side}{cropped}"
    return f"{metric.upper()} finds no structure above the noise in either picture"


def _mean_squared_error(x: Tensor, y: Tensor) -> float:
    return float((x.double() - y.double()).square().mean())


def _size(image: Tensor) -> str:
    return "x".join(str(n) for n in reversed(image.shape[-2:])) if image.ndim >= 2 else "no picture"
