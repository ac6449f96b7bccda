"""What a run is judged by, on pictures that it does not learn from.

The benchmark sets are for measuring, not for choosing: keep them out of `--val`.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from sr_hub.base import SRModel
from sr_hub.degrade import modcrop, quantise
from training.config import TrainConfig
from training.data import Pictures, degraded
from training.steps import Context

LUMA = (65.481, 128.553, 24.966)  # BT.601 studio range, for RGB in [0, 1]

Distance = Callable[[Tensor, Tensor], float]
"""A distance of two pictures (1, 3, H, W) in [0, 1], like LPIPS."""


def luma_psnr(sr: Tensor, hr: Tensor, border: int) -> float:
    """PSNR in dB of the rounded `sr` on BT.601 luma, `border` pixels cropped (protocol "y")."""
    weights = torch.tensor(LUMA, device=sr.device)[:, None, None] / 255
    difference = ((quantise(sr) - hr) * weights).sum(1)[..., border:-border, border:-border]
    return -10 * math.log10(max(difference.square().mean().item(), 1e-12))


@torch.no_grad()
def validate(
    model: SRModel,
    pictures: Pictures,
    context: Context,
    *,
    lpips: Distance | None = None,
    indices: range | None = None,
) -> dict[str, float]:
    """Sums over the centre crops of the pictures at `indices`, and their "count".

    `model` is in evaluation mode, as what is loaded and the average of a run always are.
    `val_psnr_y` is in dB. `val_vgg` is the perceptual loss, for a run that has one, on the middle
    half of each side, since VGG19 costs far more than the generator.
    """
    config = context.config
    distances: dict[str, Distance] = {"val_psnr_y": lambda sr, hr: luma_psnr(sr, hr, model.scale)}
    if context.vgg is not None:
        half = config.validation_side // 2
        distances["val_vgg"] = lambda sr, hr: context.perceptual(
            centre(sr, half), centre(hr, half)
        ).item()
    if lpips is not None:
        distances["val_lpips"] = lambda sr, hr: lpips(sr.cpu(), hr.cpu())
    sums = dict.fromkeys(["count", *distances], 0.0)
    for index in range(len(pictures)) if indices is None else indices:
        lr, hr = validation_pair(
            pictures, index, config.validation_side, model.scale, config.degradation
        )
        hr = hr.to(context.device)
        sr = enlarge(model, lr, context)
        sums["count"] += 1
        for name, distance in distances.items():
            sums[name] += distance(sr, hr)
    return sums


def mean_psnr(model: SRModel, pictures: Pictures, config: TrainConfig) -> float:
    """The mean PSNR in dB on luma over the centre crops, as a run of `config` validates."""
    sums = validate(model, pictures, Context(config, torch.device("cpu")))
    return sums["val_psnr_y"] / sums["count"]


def badness(scores: dict[str, float]) -> tuple[str, float]:
    """What the best generator of a run has least of, by its name.

    LPIPS if it is measured, else the distance in VGG features if the loss has it, else minus PSNR.
    """
    for name in ("val_lpips", "val_vgg"):
        if name in scores:
            return name, scores[name]
    return "val_psnr_y", -scores["val_psnr_y"]


def validation_pair(
    pictures: Pictures, index: int, side: int, scale: int, degradation: str
) -> tuple[Tensor, Tensor]:
    """The centre crop of a picture: low (1, 3, h, w) and high (1, 3, scale * h, scale * w).

    A random degradation draws from the generator of the index, so every run is judged by the same.
    """
    hr = modcrop(centre(pictures.picture(index), side), scale)
    lr = degraded(hr, scale, degradation, np.random.default_rng(index))
    return quantise(lr), hr


def enlarge(model: SRModel, lr: Tensor, context: Context) -> Tensor:
    """The model's output in float32, on the device of the run."""
    lr = lr.to(context.device).contiguous(memory_format=torch.channels_last)
    with context.precision():
        return model(lr).float()


def centre(image: Tensor, side: int) -> Tensor:
    """The middle `side` x `side` pixels of (..., H, W), or all there is where it is smaller."""
    height, width = image.shape[-2:]
    top, left = max(0, height - side) // 2, max(0, width - side) // 2
    return image[..., top : top + side, left : left + side]
