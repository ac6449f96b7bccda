import pytest
import torch

from sr_hub.tiling import SMALLEST_TILE, choose_tile, plan_tiles, run_tiles

SIZES = [(1, 1), (1, 50), (7, 7), (37, 53), (100, 41)]


def cover(tiles, height, width):
    count = torch.zeros(height, width)
    for tile in tiles:
        count[tile.core.slices] += 1
    return count


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("multiple", [1, 2, 8])
def test_cores_cover_every_pixel_once_and_start_where_the_network_allows(size, multiple):
    tiles = plan_tiles(*size, tile=(16, 20), overlap=5, multiple=multiple)
    assert cover(tiles, *size).eq(1).all()
    for tile in tiles:
        assert all(edge % multiple == 0 for edge in (*tile.core[:2], *tile.padded[:2]))


def test_tiles_see_the_overlap_on_each_side_but_nothing_beyond_the_picture():
    tiles = plan_tiles(40, 60, tile=(20, 20), overlap=5, multiple=4)
    assert len(tiles) == 6
    left, top, right, bottom = tiles[4].padded
    assert (left, top, right, bottom) == (20 - 8, 20 - 8, 40 + 8, 40)
    assert tiles[0].padded[:2] == (0, 0)


def test_tiles_are_equal_instead_of_leaving_a_thin_strip():
    tiles = plan_tiles(10, 101, tile=(100, 100), overlap=0)
    assert [tile.core.right - tile.core.left for tile in tiles] == [50, 51]


@pytest.mark.parametrize("size", [*SIZES, (1365, 2048), (300, 20000)])
@pytest.mark.parametrize("area", [1, 50_000, 400_000])
@pytest.mark.parametrize("multiple", [1, 8])
def test_chosen_tiles_fit_into_the_area(size, area, multiple):
    tile = choose_tile(*size, area=area, overlap=49, multiple=multiple)
    padded = [t.padded for t in plan_tiles(*size, tile=tile, overlap=49, multiple=multiple)]
    largest = max((b.right - b.left) * (b.bottom - b.top) for b in padded)
    smallest_possible = (SMALLEST_TILE + 2 * 56) ** 2
    assert largest <= max(area, smallest_possible)


def test_the_whole_picture_is_one_tile_where_it_fits():
    assert choose_tile(300, 400, area=120_000, overlap=49) == (300, 400)


def test_a_long_picture_is_cut_across_and_not_along():
    height, width = choose_tile(100, 10_000, area=60_000, overlap=49)
    assert height == 100
    assert 400 <= width <= 502


def test_running_reports_progress_and_writes_every_tile():
    x = torch.rand(1, 1, 9, 14)
    output, seen = torch.zeros(1, 1, 18, 28), []

    def write(box, values):
        output[..., *box.slices] = values

    run_tiles(
        plan_tiles(9, 14, tile=(4, 5), overlap=2),
        2,
        read=lambda box: x[..., *box.slices],
        network=lambda part: part.repeat_interleave(2, -1).repeat_interleave(2, -2),
        write=write,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert torch.equal(output, x.repeat_interleave(2, -1).repeat_interleave(2, -2))
    assert seen == [(done, 9) for done in range(1, 10)]
