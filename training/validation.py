"""What a run is judged by: luma PSNR, and the distance in VGG features where the loss has them."""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sr_hub.base import SRModel
from sr_hub.degrade import downscale, modcrop, quantise
from training.data import Pictures
from training.losses import feature_distance

if TYPE_CHECKING:
    from training.steps import Context

LUMA = (65.481, 128.553, 24.966)  # BT.601 studio range, for RGB in [0, 1]


def luma_psnr(sr: Tensor, hr: Tensor, border: int) -> float:
    """PSNR in dB of the rounded `sr` on BT.601 luma, `border` pixels cropped (protocol "y")."""
    weights = torch.tensor(LUMA, device=sr.device)[:, None, None] / 255
    difference = ((quantise(sr) - hr) * weights).sum(1)[..., border:-border, border:-border]
    return -10 * math.log10(max(difference.square().mean().item(), 1e-12))


@torch.inference_mode()
def validate(model: SRModel, pictures: Pictures, context: "Context", *, side: int = 256) -> dict[str, float]:
    """Means over the centre crops of `side` pixels of all `pictures`.

    `val_psnr_y` in dB; `val_vgg`, the perceptual loss, for a run that has one.
    """
    model.eval()
    totals: dict[str, float] = {}
    for index in range(len(pictures)):
        hr = modcrop(centre(pictures.picture(index), side), model.scale).to(context.device)
        lr = quantise(downscale(hr, model.scale))
        with context.precision():
            sr = model(lr.contiguous(memory_format=torch.channels_last)).float()
        numbers = {"val_psnr_y": luma_psnr(sr, hr, model.scale)}
        if context.vgg is not None:
            small_sr, small_hr = centre(sr, side // 2), centre(hr, side // 2)
            distance = feature_distance(
                context.vgg(small_sr), context.vgg(small_hr), context.config.vgg_layers
            )
            numbers["val_vgg"] = distance.item()
        totals = {name: totals.get(name, 0.0) + value for name, value in numbers.items()}
    return {name: total / len(pictures) for name, total in totals.items()}


def centre(image: Tensor, side: int) -> Tensor:
    """The middle `side` x `side` pixels of (..., H, W), or all there is where it is smaller."""
    height, width = image.shape[-2:]
    top, left = max(0, height - side) // 2, max(0, width - side) // 2
    return image[..., top : top + side, left : left + side]
