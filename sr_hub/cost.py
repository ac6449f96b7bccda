"""Multiply-adds of a network, counted without computing anything."""

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode


def multiply_adds(network: nn.Module, height: int, width: int) -> int:
    """Multiply-adds of the convolutions for one RGB input of `height` x `width` pixels.

    A copy of the network runs on the "meta" device, where tensors have shapes and no values.
    """
    network = copy.deepcopy(network).to("meta").float().eval()
    with FlopCounterMode(display=False) as counter, _PlainInterpolation(), torch.no_grad():
        network(torch.empty(1, 3, height, width, device="meta", dtype=torch.float32))
    return counter.get_total_flops() // 2


class _PlainInterpolation(TorchFunctionMode):
    """Interpolates to the nearest pixel, whatever is asked for.

    The shapes are the same and nothing is multiplied, but torch follows a bicubic interpolation
    without values through hundreds of small steps, most of the time that a count takes.
    """

    SHAPING = ("input", "size", "scale_factor", "recompute_scale_factor")

    def __torch_function__(
        self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        kwargs = kwargs or {}
        if func is F.interpolate:
            args = args[:3]  # input, size, scale_factor; then come mode and align_corners
            kwargs = {name: kwargs[name] for name in self.SHAPING if name in kwargs}
        return func(*args, **kwargs)
