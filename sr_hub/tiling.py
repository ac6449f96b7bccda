"""Where to cut a picture so that its tiles, enlarged one by one, equal the picture enlarged whole.

Pure arithmetic: nothing here knows about pictures, networks or devices. A tile is a core, which it
answers for, and around it as much of the picture as the network can see from there. Where the
picture ends the tile ends too, so that the network pads it exactly as it pads the whole picture.

All tiles of a picture are of one size with their surroundings: no thin strip is left at the end,
none needs more memory than the others, and memory that one has used fits the next.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor

SMALLEST_TILE = 64
"""Least side of a core in input pixels: below it the overlap costs more time than a smaller tile
saves memory. For a network that sees farther than this, it is as far as the network sees."""


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
        tile: greatest height and width of a tile, without the overlap on both of its sides.
        overlap: pixels around a core that the network sees from there; rounded up to `multiple`.
        multiple: all tiles start at multiples of it, as networks that fold the picture need it.
    """
    overlap = round_up(overlap, multiple)
    rows = _spans(height, _count(height, tile[0], overlap, multiple), overlap, multiple)
    columns = _spans(width, _count(width, tile[1], overlap, multiple), overlap, multiple)
    return [
        Tile(
            Box(column.start, row.start, column.stop, row.stop),
            Box(column.padded_start, row.padded_start, column.padded_stop, row.padded_stop),
        )
        for row in rows
        for column in columns
    ]


def choose_tile(
    height: int, width: int, *, area: int, overlap: int, multiple: int = 1
) -> tuple[int, int]:
    """The `tile` for `plan_tiles` that needs least work while no tile exceeds `area` pixels.

    The work is counted in pixels with overlap, so long tiles are preferred to square ones where
    they save some. Where not even the smallest core (see `SMALLEST_TILE`) fits into `area` with
    its overlap, that is the answer.
    """
    overlap = round_up(overlap, multiple)
    smallest = max(SMALLEST_TILE, overlap)
    best, least = (smallest, smallest), None
    for columns in range(1, max(1, (width - 2 * overlap) // smallest) + 1):
        padded_width = _padded(width, columns, overlap, multiple)
        tallest = area // padded_width - 2 * overlap
        if tallest < min(smallest, height - 2 * overlap):
            continue
        rows = _count(height, tallest, overlap, multiple)
        padded_height = _padded(height, rows, overlap, multiple)
        work = rows * columns * padded_height * padded_width
        if least is None or work < least:
            best, least = (padded_height - 2 * overlap, padded_width - 2 * overlap), work
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


class _Span(NamedTuple):
    """A tile along one side of the picture."""

    start: int
    stop: int
    padded_start: int
    padded_stop: int


def _count(length: int, tile: int, overlap: int, multiple: int) -> int:
    """How many tiles of `tile` pixels and two overlaps a side of `length` pixels needs."""
    if length <= tile + 2 * overlap:
        return 1
    return -(-(length - 2 * overlap) // max(multiple, tile // multiple * multiple))


def _padded(length: int, count: int, overlap: int, multiple: int) -> int:
    """Pixels of each of `count` tiles along a side of `length`, overlap included."""
    if count == 1:
        return length
    return min(length, _stride(length, count, overlap, multiple) + 2 * overlap)


def _stride(length: int, count: int, overlap: int, multiple: int) -> int:
    return round_up(-(-(length - 2 * overlap) // count), multiple)


def _spans(length: int, count: int, overlap: int, multiple: int) -> list[_Span]:
    if count == 1:
        return [_Span(0, length, 0, length)]
    stride = _stride(length, count, overlap, multiple)
    padded = stride + 2 * overlap
    last = round_up(length - padded, multiple)
    starts = [*(i * stride for i in range(count) if i * stride < last), last]
    cuts = [0, *(start + overlap for start in starts[1:]), length]
    return [
        _Span(start, stop, padded_start, min(length, padded_start + padded))
        for padded_start, (start, stop) in zip(starts, pairwise(cuts), strict=True)
    ]
