"""Pictures to patches: folders and tar shards are decoded once, crops are cut for each step."""

import io
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sr_hub.degrade import SUPPORT, downscale, quantise


class Pictures:
    """High-resolution pictures in memory, and the patches of any step.

    The patches are a pure function of (seed, step, rank): a resumed run sees what an unbroken one
    would have seen.
    """

    def __init__(self, source: Path) -> None:
        with ThreadPoolExecutor(2) as pool:
            self.pictures = list(pool.map(_decode, _files(source)))

    def batch(
        self, *, scale: int, patch: int, size: int, seed: int, step: int, rank: int = 0
    ) -> tuple[Tensor, Tensor]:
        """`size` patches: low (N, 3, patch, patch) and high (N, 3, scale * patch, ...), in [0, 1].

        Each is cut with a margin, degraded, then trimmed, so that its border is that of the
        degraded picture.
        """
        rng = np.random.default_rng([seed, step, rank])
        side = (patch + 2 * SUPPORT) * scale
        hr = torch.stack([self._crop(rng, side) for _ in range(size)]).float() / 255
        lr = quantise(downscale(hr, scale))
        high = SUPPORT * scale
        return (
            lr[..., SUPPORT:-SUPPORT, SUPPORT:-SUPPORT].contiguous(),
            hr[..., high:-high, high:-high].contiguous(),
        )

    def _crop(self, rng: np.random.Generator, side: int) -> Tensor:
        picture = self.pictures[rng.integers(len(self.pictures))]
        height, width = picture.shape[:2]
        top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
        crop = picture[top : top + side, left : left + side]
        crop = np.rot90(crop, rng.integers(4))
        if rng.integers(2):
            crop = crop[:, ::-1]
        return torch.from_numpy(np.ascontiguousarray(crop)).permute(2, 0, 1)


def _files(source: Path) -> Iterator[bytes]:
    for path in sorted(source.iterdir()):
        if path.suffix == ".tar":
            with tarfile.open(path) as archive:
                for member in archive:
                    if member.isfile():
                        yield archive.extractfile(member).read()
        else:
            yield path.read_bytes()


def _decode(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
