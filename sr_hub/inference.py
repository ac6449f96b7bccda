"""One pass of a network over one tile: its device, its precision, how much fits into it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from sr_hub.base import SRModel
from sr_hub.device import tile_area
from sr_hub.errors import SRHubError
from sr_hub.precision import with_precise_output

_guard = threading.Lock()
_in_use: WeakKeyDictionary[nn.Module, tuple[int, bool]] = WeakKeyDictionary()
"""Network -> how many `evaluating` it at the moment, and whether it was in training mode before."""


class Inference:
    """A network on a device, in float32 and evaluation mode.

    Args:
        network: moved to the device.
        device: where it runs.
        name: what an error calls it.
    """

    def __init__(self, network: SRModel, device: torch.device, name: str) -> None:
        self.network = network.to(device, torch.float32).eval()
        self.device = device
        self.name = name
        self._areas: dict[str, int] = {}

    @torch.no_grad()
    def __call__(self, x: Tensor, precision: str) -> Tensor:
        """One pass: (N, 3, h, w) -> (N, 3, scale * h, scale * w), float32, clamped to [0, 1].

        Args:
            x: RGB in [0, 1], on any device.
            precision: "fp32", or "bf16", which is run again in fp32 where it is not finite.

        Raises:
            SRHubError: if the result is not finite in fp32 either.
        """
        x = x.to(self.device).contiguous(memory_format=torch.channels_last)
        if precision == "bf16":
            with torch.autocast(self.device.type, torch.bfloat16):
                output = self._mixed(x).float()
            if output.sum().isfinite():
                return output.clamp_(0, 1)
        output = self._plain(x)
        if not output.sum().isfinite():
            raise SRHubError(f"{self.name} gives values that are not finite: its weights are bad")
        return output.clamp(0, 1)

    def area(self, precision: str) -> int:
        """Input pixels that fit into one pass."""
        if precision not in self._areas:
            self._areas[precision] = tile_area(partial(self, precision=precision), self.device)
        return self._areas[precision]

    def _plain(self, x: Tensor) -> Tensor:
        """In float32. CPUs take a quarter to a third less time with the channels last."""
        if self.device.type == "cpu":
            return self.network(x).float()
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return self.network(x.contiguous()).float()

    @cached_property
    def _mixed(self) -> nn.Module:
        return with_precise_output(self.network)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Within it, a network that somebody trains meanwhile is in evaluation mode.

    With several threads in it, training mode comes back when the last of them leaves.
    """
    with _guard:
        users, training = _in_use.get(network, (0, network.training))
        _in_use[network] = users + 1, training
        if network.training:
            network.eval()
    try:
        yield
    finally:
        with _guard:
            users, training = _in_use.pop(network)
            if users > 1:
                _in_use[network] = users - 1, training
            elif training:
                network.train()
