"""Files to pixels: what a folder and its tar shards hold, decoded a few files at a time."""

import logging
import os
import tarfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
import psutil
from PIL import Image

from sr_hub.errors import SRHubError
from sr_hub.image import decode, readable_formats

logger = logging.getLogger(__name__)

Seen = TypeVar("Seen")

ALLOWED = Path("/sys/fs/cgroup/memory.max")
"""How many bytes a container may hold; "max" for all."""


def files_of(source: Path) -> list[Path]:
    """The files below a folder in the order of their names; what is hidden is left out."""
    return [
        path
        for path in sorted(source.rglob("*"))
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(source).parts)
    ]


def size_in_header(file: Path | BinaryIO) -> tuple[int, int] | None:
    """Width and height in pixels, as the first bytes of a file say; None if it is no picture."""
    try:
        with Image.open(file, formats=readable_formats()) as image:
            return image.size
    except Exception:  # Pillow's readers raise errors of many types on damaged files
        return None


def in_memory(source: Path, remedy: str) -> tuple[np.ndarray, dict[str, Any]]:
    """The pixels of all pictures of a folder, (pixels, 3) uint8, and what `decode_each` tells.

    Args:
        source: the folder.
        remedy: what to give if memory does not suffice ("fewer pictures").

    Raises:
        SRHubError: as `decode_each` does, or if the pictures do not fit into memory.
    """
    headers = [size for _, size in _each_file(source, size_in_header) if size]
    area = sum(width * height for width, height in headers)
    too_large = (
        f"the pictures of {source} take {3 * area / 1e9:.1f} GB decoded, more than is free: "
        f"give {remedy}"
    )
    if 3 * area > free_memory():
        raise SRHubError(too_large)
    end = 0

    def take(picture: np.ndarray) -> None:
        nonlocal end
        begin, end = end, end + picture.shape[0] * picture.shape[1]
        if end > len(pixels):  # a header that was wrong
            pixels.resize((end, 3), refcheck=False)
        pixels[begin:end] = picture.reshape(-1, 3)

    try:
        pixels = np.empty((area, 3), np.uint8)
        index = decode_each(source, take)
    except MemoryError:
        raise SRHubError(too_large) from None
    return pixels[:end], index


def decode_each(source: Path, take: Callable[[np.ndarray], object]) -> dict[str, Any]:
    """Give the pictures of a folder, (H, W, 3) uint8, to `take`, one after another.

    Returns their "names", their "sizes" (height and width in pixels) and how many files that could
    not be read were "skipped".

    Raises:
        SRHubError: if no picture can be read, a file may not be read, or a tar shard is damaged.
    """
    names, sizes, skipped = [], [], 0
    for name, picture in decoded(source):
        if picture is None:
            skipped += 1
            continue
        take(picture)
        names.append(name)
        sizes.append(picture.shape[:2])
    if not names:
        unreadable = f" ({skipped} files that are none)" if skipped else ""
        raise SRHubError(f"{source} holds no picture that can be read{unreadable}")
    return {"names": names, "sizes": sizes, "skipped": skipped}


def decoded(source: Path) -> Iterator[tuple[str, np.ndarray | None]]:
    """The name of each file and its picture, None where it has none; few are held at a time."""
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        waiting = deque()
        for name, data in _each_file(source, lambda stream: stream.read()):
            waiting.append(pool.submit(_decode, name, data))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def free_memory() -> int:
    """Bytes that the machine has free, or fewer if its container may not hold as many."""
    free = psutil.virtual_memory().available
    allowed = ALLOWED.read_text().strip() if ALLOWED.is_file() else ""
    return min(free, int(allowed)) if allowed.isdigit() else free


def _each_file(source: Path, look: Callable[[BinaryIO], Seen]) -> Iterator[tuple[str, Seen]]:
    """The name of each file, those in tar shards too, and what `look` sees in it."""
    for path in files_of(source):
        try:
            if path.suffix == ".tar":
                yield from _each_member(path, look)
            else:
                with path.open("rb") as stream:
                    yield str(path), look(stream)
        except tarfile.TarError as error:
            raise SRHubError(f"{path} is damaged: {error}") from None
        except OSError as error:
            raise SRHubError(f"cannot read {path}: {error.strerror or error}") from None


def _each_member(shard: Path, look: Callable[[BinaryIO], Seen]) -> Iterator[tuple[str, Seen]]:
    with tarfile.open(shard) as archive:
        for member in archive:
            if member.isfile():
                yield f"{shard}:{member.name}", look(archive.extractfile(member))


def _decode(name: str, data: bytes) -> tuple[str, np.ndarray | None]:
    try:
        image = decode(data)
        if image.mode == "I;16":
            raise SRHubError("it is 16-bit grey: convert it to 8 bits")
        if image.mode in ("LA", "RGBA") and image.getchannel("A").getextrema()[0] < 255:
            raise SRHubError("it has transparent parts: flatten it")
        return name, np.array(image.convert("RGB"))
    except SRHubError as error:
        logger.warning("skipped %s: %s", name, error)
        return name, None
