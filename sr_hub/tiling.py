"""Where to cut a picture so that its tiles, enlarged one by one, equal the picture enlarged whole.

Pure arithmetic: nothing here knows about pictures, networks or devices. A tile is a core, which it
answers for, and around it as much of the picture as the network can see from there. Where the
picture ends the tile ends too, so that the network pads it exactly as it pads the whole picture.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor

SMALLEST_TILE = 64
"""Side in input pixels below which the overlap costs more time than a smaller tile saves memory."""


class Box(NamedTuple):
    """A rectangle in pixels, in Pillow's order; `right` and `bottom` are not part of it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns of (..., H, W)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def scaled(self, scale: int) -> "Box":
        """The same rectangle in the enlarged picture."""
        return Box(*(scale * edge for edge in self))


class Tile(NamedTuple):
    """One pass of the network: it reads `padded` and answers for `core` (input pixels)."""

    core: Box
    padded: Box

    def crop(self, output: Tensor, scale: int) -> Tensor:
        """The core's part of the network's output for `padded`, (N, C, h, w)."""
        left, top = self.padded[:2]
        core = Box(*(edge - start for edge, start in zip(self.core, (left, top) * 2, strict=True)))
        return output[..., *core.scaled(scale).slices]


def round_up(value: int, multiple: int) -> int:
    """The smallest multiple of `multiple` that is not below `value`."""
    return -(-value // multiple) * multiple


def plan_tiles(
    height: int, width: int, *, tile: tuple[int, int], overlap: int, multiple: int = 1
) -> list[Tile]:
    """Tiles that cover a picture once, row by row.

    Args:
        height: of the picture, in pixels.
        width: of the picture, in pixels.
        tile: greatest height and width of a core; cores are made equal, so that no thin strip is
            left at the end.
        overlap: pixels around a core that the network sees from there; rounded up to `multiple`.
        multiple: all tiles start at multiples of it, as networks that fold the picture need it.
    """
    overlap = round_up(overlap, multiple)
    tiles = []
    for top, bottom in _cuts(height, tile[0], multiple):
        for left, right in _cuts(width, tile[1], multiple):
            padded = Box(
                max(0, left - overlap),
                max(0, top - overlap),
                min(width, right + overlap),
                min(height, bottom + overlap),
            )
            tiles.append(Tile(Box(left, top, right, bottom), padded))
    return tiles


def choose_tile(
    height: int, width: int, *, area: int, overlap: int, multiple: int = 1
) -> tuple[int, int]:
    """The height and width of cores that need least work while no padded tile exceeds `area`.

    The work is counted in padded pixels, so long tiles are preferred to square ones where they
    save overlap. Where not even a core of `SMALLEST_TILE` fits into `area`, that is the answer.
    """
    overlap = round_up(overlap, multiple)
    best = (SMALLEST_TILE, SMALLEST_TILE)
    least = None
    for columns in range(1, -(-width // SMALLEST_TILE) + 1):
        core_width = round_up(-(-width // columns), multiple)
        padded_height = area // min(width, core_width + 2 * overlap)
        core_height = height if padded_height >= height else padded_height - 2 * overlap
        if core_height < min(SMALLEST_TILE, height):
            continue
        rows = -(-height // core_height)
        work = (width + 2 * overlap * (columns - 1)) * (height + 2 * overlap * (rows - 1))
        if least is None or work < least:
            best, least = (core_height, core_width), work
    return best


def run_tiles(
    tiles: list[Tile],
    scale: int,
    *,
    read: Callable[[Box], Tensor],
    network: Callable[[Tensor], Tensor],
    write: Callable[[Box, Tensor], None],
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Enlarge tile by tile; at any time only one tile exists outside of input and output.

    Args:
        tiles: what `plan_tiles` gave.
        scale: enlargement factor of the network.
        read: gives the pixels of a box of the input, (N, C, h, w).
        network: (N, C, h, w) -> (N, C, scale * h, scale * w).
        write: takes a box of the output and its pixels.
        progress: called as `progress(done, total)` after each tile.
    """
    for done, tile in enumerate(tiles, start=1):
        write(tile.core.scaled(scale), tile.crop(network(read(tile.padded)), scale))
        if progress:
            progress(done, len(tiles))


def _cuts(length: int, tile: int, multiple: int) -> list[tuple[int, int]]:
    """[0, length) in equal parts of at most `tile`, that start at multiples of `multiple`."""
    cells = -(-length // multiple)
    parts = -(-cells // max(1, tile // multiple))
    edges = [multiple * (cells * part // parts) for part in range(parts)] + [length]
    return list(pairwise(edges))
