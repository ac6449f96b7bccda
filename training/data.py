"""Pictures to patches: folders and tar shards are decoded once, crops are cut for each step.

All pictures lie in one array of pixels, in memory or on the training device, so cutting a batch is
one gather, the same on both.
"""

import io
import logging
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sr_hub.degrade import SUPPORT, downscale, quantise
from sr_hub.errors import SRHubError

logger = logging.getLogger(__name__)


class Pictures:
    """High-resolution pictures as one array of pixels, and the patches of any step.

    Attributes:
        pixels: (pixels of all pictures, 3) uint8, RGB.
        names: of the pictures, in the order in which they lie.
        heights, widths, starts: of each picture; the start is its first row of `pixels`.
        skipped: files that could not be read.
    """

    def __init__(self, pictures: list[np.ndarray], names: list[str], *, skipped: int = 0) -> None:
        self.names, self.skipped = names, skipped
        self.heights = np.array([p.shape[0] for p in pictures])
        self.widths = np.array([p.shape[1] for p in pictures])
        self.starts = np.concatenate([[0], np.cumsum(self.heights * self.widths)[:-1]])
        self.pixels = torch.empty(int((self.heights * self.widths).sum()), 3, dtype=torch.uint8)
        for index, start in enumerate(self.starts):
            flat = torch.from_numpy(pictures[index].reshape(-1, 3))
            self.pixels[start : start + len(flat)] = flat
            pictures[index] = None  # so that no more than one picture lies in memory twice

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def read(cls, source: Path, *, workers: int = 2) -> "Pictures":
        """The pictures of a folder: files and those in tar shards, in the order of their names.

        Raises:
            SRHubError: if the folder is missing or holds no picture that can be read.
        """
        if not source.is_dir():
            raise SRHubError(f"{source} is not a folder of pictures")
        pictures, names, skipped = [], [], 0
        with ThreadPoolExecutor(workers) as pool:
            for name, picture in pool.map(_decode, _files(source)):
                if picture is None:
                    skipped += 1
                else:
                    pictures.append(picture)
                    names.append(name)
        if not pictures:
            raise SRHubError(f"{source} holds no picture that can be read")
        return cls(pictures, names, skipped=skipped)

    def to(self, device: torch.device) -> "Pictures":
        """These pictures, with their pixels moved to `device`."""
        self.pixels = self.pixels.to(device)
        return self

    def picture(self, index: int) -> Tensor:
        """(1, 3, H, W), in [0, 1]."""
        start, height, width = self.starts[index], self.heights[index], self.widths[index]
        flat = self.pixels[start : start + height * width]
        return flat.view(height, width, 3).permute(2, 0, 1)[None].float() / 255

    def require(self, side: int) -> None:
        """Refuse pictures too small for crops of `side` pixels.

        Raises:
            SRHubError: if a picture is smaller; it names the first and counts them all.
        """
        small = np.flatnonzero(np.minimum(self.heights, self.widths) < side)
        if len(small):
            first = small[0]
            raise SRHubError(
                f"{self.names[first]} is {self.widths[first]}x{self.heights[first]}, but a patch needs "
                f"{side}x{side} ({len(small)} of {len(self)} pictures are too small): use a smaller patch"
            )

    def batch(
        self, *, scale: int, patch: int, size: int, seed: int, step: int, rank: int = 0
    ) -> tuple[Tensor, Tensor]:
        """`size` patches: low (N, 3, patch, patch) and high (N, 3, scale * patch, ...), in [0, 1].

        They are a function of (seed, step, rank) alone, so a resumed run sees what an unbroken one
        would have seen. Each is cut with a margin, degraded, then trimmed, so that its border is
        that of the degraded picture.
        """
        rng = np.random.default_rng([seed, step, rank])
        side = (patch + 2 * SUPPORT) * scale
        hr = self._crops(rng, size, side)
        lr = quantise(downscale(hr, scale))
        high = SUPPORT * scale
        return (
            lr[..., SUPPORT:-SUPPORT, SUPPORT:-SUPPORT].contiguous(),
            hr[..., high:-high, high:-high].contiguous(),
        )

    def _crops(self, rng: np.random.Generator, size: int, side: int) -> Tensor:
        """`size` random crops, each in one of the eight orientations."""
        chosen = rng.integers(len(self), size=size)
        heights, widths, starts = self.heights[chosen], self.widths[chosen], self.starts[chosen]
        tops, lefts = rng.integers(heights - side + 1), rng.integers(widths - side + 1)
        flips = rng.integers(2, size=(3, size))
        rows, columns = np.arange(side)[None, :, None], np.arange(side)[None, None, :]
        vertical, horizontal, turned = (flip[:, None, None].astype(bool) for flip in flips)
        rows, columns = np.where(turned, columns, rows), np.where(turned, rows, columns)
        rows, columns = np.where(vertical, side - 1 - rows, rows), np.where(horizontal, side - 1 - columns, columns)
        index = (tops[:, None, None] + rows) * widths[:, None, None] + lefts[:, None, None] + columns
        index = torch.from_numpy(index + starts[:, None, None]).to(self.pixels.device)
        return self.pixels[index].permute(0, 3, 1, 2).float() / 255


def _files(source: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(source.rglob("*")):
        if path.suffix == ".tar":
            with tarfile.open(path) as archive:
                for member in archive:
                    if member.isfile():
                        yield f"{path}:{member.name}", archive.extractfile(member).read()
        elif path.is_file() and not path.name.startswith("."):
            yield str(path), path.read_bytes()


def _decode(file: tuple[str, bytes]) -> tuple[str, np.ndarray | None]:
    name, data = file
    try:
        return name, np.array(Image.open(io.BytesIO(data)).convert("RGB"))
    except Exception as error:  # a damaged file raises whatever its decoder likes
        logger.warning("skipped %s: %s", name, error)
        return name, None
