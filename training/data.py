"""Pictures to patches: folders and tar shards are decoded once, crops are cut for each step.

All pictures lie in one array of pixels, in memory, in a file or on the training device. Cutting a
batch is one gather from it, the same everywhere, so that a GPU does not wait for data.
"""

import copy
import hashlib
import json
import logging
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from sr_hub.degrade import SUPPORT, downscale, quantise, realistic
from sr_hub.errors import SRHubError
from sr_hub.files import write_text, write_whole
from training.decoding import decode_each, files_of, in_memory

logger = logging.getLogger(__name__)


@dataclass
class Pictures:
    """High-resolution pictures as one array of pixels, and the patches of any step.

    Attributes:
        pixels: (pixels of all pictures, 3) uint8, RGB.
        names: of the pictures, in the order in which they lie.
        sizes: (pictures, 2), height and width of each, in pixels.
        skipped: files that could not be read, and pictures that were too small.
        learned: pictures that the run learns from too, though they are for validation.
    """

    pixels: Tensor
    names: list[str]
    sizes: np.ndarray
    skipped: int = 0
    learned: int = 0

    def __post_init__(self) -> None:
        areas = self.sizes.prod(axis=1)
        self.starts = np.concatenate([[0], np.cumsum(areas)[:-1]])

    def __len__(self) -> int:
        return len(self.names)

    def __str__(self) -> str:
        area = int(self.sizes.prod(axis=1).sum())
        return f"{len(self)} pictures, {area / 1e6:.0f} million pixels, {3 * area / 1e9:.2f} GB"

    @classmethod
    def read(
        cls, source: Path, *, cache: Path | None = None, remedy: str = "fewer pictures"
    ) -> Self:
        """The pictures of a folder: files and those in tar shards, in the order of their names.

        Args:
            source: the folder; its sub-folders count too.
            cache: folder for the decoded pictures. It is filled by the first run, picture by
                picture; later runs map it, which takes no time, and several at once share the
                memory. It is made anew if the files of `source` have changed.
            remedy: what to give if memory does not hold all pictures, where there is no cache.

        Raises:
            SRHubError: if the folder is missing, holds no picture that can be read, the cache
                or a damaged tar shard, or if memory does not suffice.
        """
        if not source.is_dir():
            raise SRHubError(f"{source} is not a folder of pictures")
        if cache is not None:
            if cache.resolve().is_relative_to(source.resolve()):
                raise SRHubError(f"--cache {cache} lies in {source}: give a folder beside it")
            return cls._cached(source, cache, _fingerprint(source))
        pixels, index = in_memory(source, remedy)
        return cls._of(torch.from_numpy(pixels), index)

    @classmethod
    def _of(cls, pixels: Tensor, index: dict) -> Self:
        return cls(pixels, index["names"], np.array(index["sizes"]), index["skipped"])

    @classmethod
    def _cached(cls, source: Path, cache: Path, fingerprint: str) -> Self:
        """What `cache` holds of `fingerprint`, or of `source`, whose pixels then go there first.

        The pixels lie in a file named after the fingerprint, so that an index never serves those of
        other pictures: not after an interruption, and not if two runs fill the cache at once.
        """
        index_path, pixels_path = cache / "index.json", cache / f"pixels-{fingerprint[:16]}.bin"
        index = _index(index_path)
        if index.get("of") == fingerprint and pixels_path.exists():
            return cls._of(_mapped(pixels_path), index)

        def fill(path: Path) -> None:
            with path.open("wb") as file:
                index.update(decode_each(source, file.write), of=fingerprint)

        try:
            write_whole(pixels_path, fill)
        except MemoryError:
            raise SRHubError(
                f"the largest pictures of {source} do not fit into memory: cut them first"
            ) from None
        made = cls._of(_mapped(pixels_path), index)
        write_text(index_path, json.dumps(index))
        for old in set(cache.glob("pixels*.bin")) - {pixels_path}:
            old.unlink(missing_ok=True)  # a run that has it mapped keeps it
        return made

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
        flat = self._flat(index).view(*self.sizes[index], 3)
        return flat.permute(2, 0, 1)[None].float() / 255

    def _flat(self, index: int) -> Tensor:
        start = self.starts[index]
        return self.pixels[start : start + self.sizes[index].prod()]

    def without_small(self, side: int, reason: str, advice: str = "give larger ones") -> Self:
        """Those of `side` pixels a side or more, which `reason` ("a patch") needs; it names others.

        Raises:
            SRHubError: if none remains.
        """
        large = self.sizes.min(axis=1) >= side
        if large.all():
            return self
        needs = f"under {side}x{side}, which {reason} needs"
        if not large.any():
            raise SRHubError(f"all {len(self)} pictures are {needs}: {advice}")
        small = [Path(self.names[index]).name for index in np.flatnonzero(~large)]
        named = ", ".join(small[:3] + ["..."] * (len(small) > 3))
        text = "%d of %d pictures are %s, and left out: %s"
        logger.warning(text, len(small), len(self), needs, named)
        rest = copy.copy(self)
        rest.names = [self.names[index] for index in np.flatnonzero(large)]
        rest.sizes, rest.starts = self.sizes[large], self.starts[large]
        rest.skipped += len(small)
        return rest

    def also_in(self, other: Self) -> list[str]:
        """Names of those of these pictures that `other` holds too, pixel for pixel."""
        sizes = set(map(tuple, self.sizes.tolist()))
        alike = defaultdict(list)
        for index, size in enumerate(other.sizes.tolist()):
            if tuple(size) in sizes:
                alike[other._glimpse(index)].append(other._flat(index))
        return [
            name
            for index, name in enumerate(self.names)
            if any(torch.equal(self._flat(index), flat) for flat in alike[self._glimpse(index)])
        ]

    def _glimpse(self, index: int) -> bytes:
        """A few pixels of the middle: where these differ, the pictures do."""
        flat = self._flat(index)
        return flat[len(flat) // 2 :][:64].numpy().tobytes()

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


def _mapped(path: Path) -> Tensor:
    """The pixels (N, 3) of a file, as memory that several runs share."""
    return torch.from_numpy(np.memmap(path, mode="c", dtype=np.uint8)).view(-1, 3)


def _index(path: Path) -> dict:
    """What the index of a cache says; nothing if it is missing or damaged."""
    try:
        index = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return index if isinstance(index, dict) else {}


def _fingerprint(source: Path) -> str:
    """Changes if a file is added, taken away or rewritten."""
    stats = ((path, path.stat()) for path in files_of(source))
    text = "".join(f"{p.relative_to(source)} {s.st_size} {s.st_mtime_ns}\n" for p, s in stats)
    return hashlib.sha256(text.encode()).hexdigest()
