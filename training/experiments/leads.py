"""How sure it is that one method is better than another, from what both reach on the same pictures.

A lead is the mean over the pictures of how much better a method is. Divided by its standard error
it says how sure the lead is on pictures that nobody has seen, and makes dB and distances
comparable.
"""

import math
from collections.abc import Sequence

import torch

from sr_hub.tables import HIGHER_IS_BETTER

SURE = 2
"""Standard errors from which a lead counts as more than the luck of the pictures."""


def gain(measure: str, ours: float, theirs: float) -> float:
    """How much better `ours` is than `theirs`; above 0 if it is, whatever the measure."""
    return ours - theirs if measure in HIGHER_IS_BETTER else theirs - ours


def lead(gains: Sequence[float]) -> tuple[float, float]:
    """The mean, and how many of its standard errors it is."""
    values = torch.tensor(gains, dtype=torch.float64)
    mean, error = values.mean().item(), values.std().item() / math.sqrt(len(gains))
    return mean, mean / error if error else math.copysign(math.inf, mean) if mean else 0.0
