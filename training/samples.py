"""Pictures to look at while a run learns: LR, SR and HR of fixed validation crops, side by side."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from sr_hub.base import SRModel
from sr_hub.image import from_tensor, save
from training.data import Pictures
from training.steps import Context
from training.validation import enlarge, validation_pair

ROWS, SIDE, GAP = 4, 128, 4
"""Crops in a grid, their side and the white gap between them, in pixels."""


@torch.no_grad()
def write_samples(model: SRModel, pictures: Pictures, context: Context, path: Path) -> None:
    """Write the grid of `model`: a row for each crop; LR as blocks, then SR, then HR.

    `model` is in evaluation mode.
    """
    rows = []
    for index in range(min(ROWS, len(pictures))):
        lr, hr = validation_pair(pictures, index, SIDE, model.scale, context.config.degradation)
        sr = enlarge(model, lr, context).cpu()
        blocks = F.interpolate(lr.cpu(), scale_factor=model.scale, mode="nearest")
        rows.append(_join([blocks, sr, hr.cpu()], axis=-1))
    width = max(row.shape[-1] for row in rows)
    grid = _join([F.pad(row, (0, width - row.shape[-1]), value=1.0) for row in rows], axis=-2)
    save(from_tensor(grid), path)


def _join(pictures: list[Tensor], *, axis: int) -> Tensor:
    shape = list(pictures[0].shape)
    shape[axis] = GAP
    gap = torch.ones(shape)
    return torch.cat([part for picture in pictures for part in (gap, picture)][1:], dim=axis)
