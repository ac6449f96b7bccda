"""What the machine can do: which device, and how much of a picture at a time."""

import weakref
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from sr_hub.errors import SRHubError

CPU_BUDGET = 2**29
"""Bytes of tensors for one tile on a CPU. The process takes up to three times as much, because the
allocator keeps what small tensors have freed: under 2 GB for a photo of three megapixels. It is the
same everywhere, since another tile gives other roundings, and a file must not depend on where it
was made."""

GPU_SHARE = 0.5
"""Part of a GPU's memory for one tile. Of all of it, not of what is free: see `CPU_BUDGET`."""

PROBE = 24
"""Side in pixels of the smaller input that `bytes_per_pixel` runs the network on."""

LARGEST_AREA = 2**20
"""Input pixels of a tile, whatever the memory: beyond about twice this, the activations of the
networks here have more elements than 32-bit indices reach."""


def pick_device(device: str | torch.device) -> torch.device:
    """The device that a name stands for; "auto" is CUDA, else MPS, else the CPU.

    Raises:
        SRHubError: if there is no such device here.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.zeros(1, device=chosen).item()  # "meta" makes tensors too, but they hold no numbers
    except (RuntimeError, AssertionError, TypeError, ImportError):
        raise SRHubError(f"no device {str(device)!r} here: use auto, cpu, cuda or mps") from None
    return chosen


def tile_area(run: Callable[[Tensor], Tensor], device: torch.device) -> int:
    """Input pixels that fit in one pass of `run`, (1, 3, h, w) -> output, on `device`."""
    return min(LARGEST_AREA, _budget(device) // bytes_per_pixel(run, device))


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an operation failed for want of the device's memory."""
    words = ("DefaultCPUAllocator: can't allocate memory", "MPS backend out of memory")
    return isinstance(error, torch.OutOfMemoryError) or any(w in str(error) for w in words)


def bytes_per_pixel(run: Callable[[Tensor], Tensor], device: torch.device) -> int:
    """The most memory that `run` holds at a time, for each pixel of its input, in bytes.

    It is observed on two small pictures, from whose difference what does not grow with the picture
    falls out. Every tensor that an operation makes counts until it is freed; what a convolution
    uses inside itself is not seen.
    """
    small, large = (_peak(run, side, device) for side in (PROBE, 2 * PROBE))
    return max(1, -(-(large - small) // (3 * PROBE**2)))


def _peak(run: Callable[[Tensor], Tensor], side: int, device: torch.device) -> int:
    x = torch.zeros(1, 3, side, side, device=device, dtype=torch.float32)
    with _LiveBytes() as watch:
        run(x)
    return watch.peak


def _budget(device: torch.device) -> int:
    if device.type == "cuda":
        return int(GPU_SHARE * torch.cuda.get_device_properties(device).total_memory)
    if device.type == "mps":
        return int(GPU_SHARE * torch.mps.recommended_max_memory())
    return CPU_BUDGET


class _LiveBytes(TorchDispatchMode):
    """Counts the bytes of all tensors that were made inside it and still exist."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._known = WeakIdKeyDictionary()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: to stay out of its compiler torch would import it first, which takes a second."""
        return False

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: Sequence[type],
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        if storage in self._known:
            return
        self._known[storage] = None
        self.live += storage.nbytes()
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._forget, storage.nbytes())

    def _forget(self, nbytes: int) -> None:
        self.live -= nbytes
