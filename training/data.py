"""Pictures to patches: folders and tar shards are decoded once, crops are cut for each step.

All pictures lie in one array of pixels, in memory, in a file or on the training device. Cutting a
batch is one gather from it, the same everywhere, so that a GPU does not wait for data.
"""

import hashlib
import json
import logging
import os
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from sr_hub.degrade import SUPPORT, downscale, quantise, realistic
from sr_hub.errors import SRHubError
from sr_hub.files import write_text, write_whole
from sr_hub.image import decode

logger = logging.getLogger(__name__)


@dataclass
class Pictures:
    """High-resolution pictures as one array of pixels, and the patches of any step.

    Attributes:
        pixels: (pixels of all pictures, 3) uint8, RGB.
        names: of the pictures, in the order in which they lie.
        sizes: (pictures, 2), height and width of each, in pixels.
        skipped: files that could not be read.
    """

    pixels: Tensor
    names: list[str]
    sizes: np.ndarray
    skipped: int = 0

    def __post_init__(self) -> None:
        areas = self.sizes.prod(axis=1)
        self.starts = np.concatenate([[0], np.cumsum(areas)[:-1]])

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def read(cls, source: Path, *, cache: Path | None = None) -> Self:
        """The pictures of a folder: files and those in tar shards, in the order of their names.

        Args:
            source: the folder; its sub-folders count too.
            cache: folder for the decoded pictures. It is filled by the first run; later runs map
                it, which takes no time, and several at once share the memory. It is made anew if
                the files of `source` have changed.

        Raises:
            SRHubError: if the folder is missing, holds no picture that can be read, or holds a
                damaged tar shard.
        """
        if not source.is_dir():
            raise SRHubError(f"{source} is not a folder of pictures")
        if cache is None:
            return cls._decoded(source)
        return cls._cached(source, cache, _fingerprint(source))

    @classmethod
    def _cached(cls, source: Path, cache: Path, fingerprint: str) -> Self:
        """What `cache` holds of `fingerprint`, or of `source`, whose pixels then go there first.

        The pixels lie in a file named after the fingerprint, so that an index never serves those of
        other pictures: not after an interruption, and not if two runs fill the cache at once.
        """
        index_path, pixels_path = cache / "index.json", cache / f"pixels-{fingerprint[:16]}.bin"
        index = json.loads(index_path.read_text()) if index_path.exists() else {}
        if index.get("of") == fingerprint and pixels_path.exists():
            return cls(
                _mapped(pixels_path), index["names"], np.array(index["sizes"]), index["skipped"]
            )
        made = cls._decoded(source)
        write_whole(pixels_path, made.pixels.numpy().tofile)
        made.pixels = _mapped(pixels_path)
        index = {"of": fingerprint, "names": made.names, "skipped": made.skipped}
        text = json.dumps({**index, "sizes": made.sizes.tolist()})
        write_text(index_path, text)
        for old in set(cache.glob("pixels*.bin")) - {pixels_path}:
            old.unlink(missing_ok=True)  # a run that has it mapped keeps it
        return made

    @classmethod
    def _decoded(cls, source: Path) -> Self:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            decoded = list(pool.map(_decode, _files(source)))
        found = [(name, picture) for name, picture in decoded if picture is not None]
        skipped = len(decoded) - len(found)
        if not found:
            unreadable = f" ({skipped} files that are none)" if skipped else ""
            raise SRHubError(f"{source} holds no picture that can be read{unreadable}")
        del decoded
        names = [name for name, _ in found]
        sizes = np.array([picture.shape[:2] for _, picture in found])
        pixels = torch.empty(int(sizes.prod(axis=1).sum()), 3, dtype=torch.uint8)
        end = len(pixels)
        while found:  # each picture is let go once it is copied
            flat = torch.from_numpy(found.pop()[1].reshape(-1, 3))
            pixels[end - len(flat) : end] = flat
            end -= len(flat)
        return cls(pixels, names, sizes, skipped)

    def to(self, device: torch.device) -> Self:
        """These pictures with their pixels on `device`, if half of its free memory holds them."""
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            if self.pixels.numel() > free / 2:
                logger.warning("the pictures do not fit on the GPU; crops are cut on the CPU")
                return self
            self.pixels = self.pixels.to(device)
        return self

    def picture(self, index: int) -> Tensor:
        """One picture, (1, 3, H, W), in [0, 1]."""
        start, (height, width) = self.starts[index], self.sizes[index]
        flat = self.pixels[start : start + height * width]
        return flat.view(height, width, 3).permute(2, 0, 1)[None].float() / 255

    def require(self, side: int, reason: str, advice: str = "") -> None:
        """Refuse pictures under `side` pixels a side, which `reason` ("a patch") needs.

        Raises:
            SRHubError: if there are any; it names the first and counts them all.
        """
        small = np.flatnonzero(self.sizes.min(axis=1) < side)
        if len(small):
            height, width = self.sizes[small[0]]
            raise SRHubError(
                f"{self.names[small[0]]} is {width}x{height}, but {reason} needs {side}x{side}: "
                f"{advice}take out the {len(small)} of {len(self)} pictures that are too small"
            )

    def batch(
        self,
        *,
        scale: int,
        patch: int,
        size: int,
        seed: int,
        step: int,
        rank: int = 0,
        degradation: str = "bicubic",
    ) -> tuple[Tensor, Tensor]:
        """`size` patches: low (N, 3, patch, patch) and high (N, 3, scale * patch, ...), in [0, 1].

        They are a function of (seed, step, rank) alone, so a resumed run sees what an unbroken one
        would have seen. Each is cut with a margin, degraded, then trimmed, so that its border is
        that of the degraded picture.
        """
        rng = np.random.default_rng([seed, step, rank])
        hr = self._crops(rng, size, (patch + 2 * SUPPORT) * scale)
        lr = degraded(hr, scale, degradation, rng)
        high = SUPPORT * scale
        return (
            quantise(lr)[..., SUPPORT:-SUPPORT, SUPPORT:-SUPPORT].contiguous(),
            hr[..., high:-high, high:-high].contiguous(),
        )

    def _crops(self, rng: np.random.Generator, size: int, side: int) -> Tensor:
        """`size` random crops, each in one of the eight orientations."""
        chosen = rng.integers(len(self), size=size)
        heights, widths = self.sizes[chosen].T
        tops, lefts = rng.integers(heights - side + 1), rng.integers(widths - side + 1)
        corners = self.starts[chosen] + tops * widths + lefts
        numbers = np.stack([corners, widths, *rng.integers(2, size=(3, size))])
        on_device = to_device(torch.from_numpy(numbers), self.pixels.device)[..., None, None]
        corner, width, turned, upside_down, mirrored = on_device
        line = torch.arange(side, device=self.pixels.device)
        rows, columns = line[None, :, None], line[None, None, :]
        rows, columns = (
            rows + turned * (columns - rows),
            columns + turned * (rows - columns),
        )
        rows = rows + upside_down * (side - 1 - 2 * rows)
        columns = columns + mirrored * (side - 1 - 2 * columns)
        return self.pixels[corner + rows * width + columns].permute(0, 3, 1, 2).float() / 255


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """`tensor` of the CPU on `device`; a GPU's work that is under way is not waited for."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def degraded(hr: Tensor, scale: int, degradation: str, rng: np.random.Generator) -> Tensor:
    """`hr` (N, 3, scale * H, scale * W) reduced as `TrainConfig.degradation` says; not clamped."""
    return realistic(hr, scale, rng) if degradation == "real" else downscale(hr, scale)


def files_of(source: Path) -> list[Path]:
    """The files below a folder, hidden ones left out, in the order of their names."""
    return [path for path in sorted(source.rglob("*")) if path.is_file() and path.name[0] != "."]


def _files(source: Path) -> Iterator[tuple[str, bytes]]:
    for path in files_of(source):
        if path.suffix == ".tar":
            yield from _members(path)
        else:
            yield str(path), path.read_bytes()


def _members(shard: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(shard) as archive:
            for member in archive:
                if member.isfile():
                    yield f"{shard}:{member.name}", archive.extractfile(member).read()
    except tarfile.TarError as error:
        raise SRHubError(f"{shard} is damaged: {error}") from None


def _decode(file: tuple[str, bytes]) -> tuple[str, np.ndarray | None]:
    name, data = file
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


def _mapped(path: Path) -> Tensor:
    """The pixels (N, 3) of a file, as memory that several runs share."""
    return torch.from_numpy(np.memmap(path, mode="c", dtype=np.uint8)).view(-1, 3)


def _fingerprint(source: Path) -> str:
    """Changes if a file is added, taken away or rewritten."""
    stats = ((path, path.stat()) for path in files_of(source))
    text = "".join(f"{p.relative_to(source)} {s.st_size} {s.st_mtime_ns}\n" for p, s in stats)
    return hashlib.sha256(text.encode()).hexdigest()
