"""How long a model takes for a megapixel, and how much memory: measured, stored, told in cards."""

import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import torch

from sr_hub import provenance
from sr_hub.bundled import hub_folder
from sr_hub.card import read_speeds
from sr_hub.errors import SRHubError
from sr_hub.files import is_folder, write_text
from sr_hub.folder import SPEED_FILE, WEIGHTS_FILE
from sr_hub.hub import fetch
from sr_hub.models import BASELINES

T = TypeVar("T")


@dataclass(frozen=True)
class Speed:
    """One model on one machine."""

    model: str
    sha256: str
    """Checksum of the weights; empty for an interpolation."""
    hardware: str
    precision: str
    seconds_per_megapixel: float
    """Of output: the median of the runs, decoding and encoding of files left out."""
    memory_bytes: int
    """On a GPU the most that was allocated at a time; on the CPU the most that the whole process
    held, Python and PyTorch included."""


def measure_speed(
    name: str, *, side: int = 256, repeats: int = 3, device: str = "auto", precision: str = "auto"
) -> Speed:
    """Enlarge a random picture of `side` x `side` pixels in a process of its own.

    Args:
        name: a bundled model, an interpolation, a Hub folder or a Hub id.
        side: height and width of the input in pixels.
        repeats: runs that count; one more comes before them.
        device: see `Upscaler`.
        precision: see `Upscaler`.

    Raises:
        SRHubError: if there is no such model, or its process is ended by the system.
    """
    if side < 1 or repeats < 1:
        raise SRHubError(f"side and repeats are at least 1, not {side} and {repeats}")
    checksum = _checksum(name)
    why = (
        f"as for want of memory: use a smaller side than {side}; or the script that measures "
        'does not do so below `if __name__ == "__main__":`'
    )
    facts = in_own_process(_measure, name, side, repeats, device, precision, why=why)
    return Speed(name, checksum, *facts)


def in_own_process(function: Callable[..., T], name: str, *arguments: object, why: str) -> T:
    """What `function(name, *arguments)` gives in a new process: its peak of memory is its own.

    Args:
        function: of a module, which the process imports.
        name: of what it runs, for the error.
        arguments: the others.
        why: what can have ended the process, and what helps.

    Raises:
        SRHubError: if the process is ended before it has an answer.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(function, name, *arguments).result()
        except BrokenProcessPool:
            raise SRHubError(f"the process that ran {name} was ended, {why}") from None


def _measure(
    name: str, side: int, repeats: int, device: str, precision: str
) -> tuple[str, str, float, int]:
    from sr_hub.upscaler import Upscaler

    upscaler = Upscaler(name, device=device, precision=precision)
    image = torch.rand(1, 3, side, side, device=upscaler.device)
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        upscaler.run(image)
        if upscaler.device.type == "cuda":
            torch.cuda.synchronize(upscaler.device)
        seconds.append(time.perf_counter() - start)
    megapixels = (upscaler.scale * side) ** 2 / 1e6
    median = statistics.median(seconds[1:])
    hardware = provenance.hardware(upscaler.device)
    return hardware, upscaler.precision, median / megapixels, peak_memory(upscaler.device)


def peak_memory(device: torch.device) -> int:
    """The most bytes so far, counted as `Speed.memory_bytes`; 0 where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return 0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _checksum(name: str) -> str:
    if name in BASELINES:
        return ""
    folder = hub_folder(name)
    return provenance.sha256((folder if is_folder(folder) else fetch(name)) / WEIGHTS_FILE)


def store_speed(speed: Speed, folder: Path) -> None:
    """Put `speed` into the `speed.json` of a Hub folder, for its card.

    It replaces what is there of the same hardware and precision; numbers of other weights go.

    Raises:
        SRHubError: if the file there holds something else.
    """
    path = folder / SPEED_FILE
    rows = [
        row
        for row in read_speeds(folder)
        if row["sha256"] == speed.sha256
        and (row["hardware"], row["precision"]) != (speed.hardware, speed.precision)
    ]
    text = json.dumps({"speeds": [*rows, asdict(speed)]}, indent=1) + "\n"
    write_text(path, text)
