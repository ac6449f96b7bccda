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


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("multiple", [1, 2, 8])
def test_tiles_see_the_overlap_on_each_side_but_nothing_beyond_the_picture(size, multiple):
    height, width = size
    for core, padded in plan_tiles(*size, tile=(8, 9), overlap=3, multiple=multiple):
        assert padded.left <= max(0, core.left - 3)
        assert padded.top <= max(0, core.top - 3)
        assert width >= padded.right >= min(width, core.right + 3)
        assert height >= padded.bottom >= min(height, core.bottom + 3)


@pytest.mark.parametrize("size", [(100, 100), (101, 977), (500, 1001)])
def test_all_tiles_of_a_picture_are_of_one_size(size):
    tiles = plan_tiles(*size, tile=(60, 70), overlap=10)
    sizes = {(t.padded.right - t.padded.left, t.padded.bottom - t.padded.top) for t in tiles}
    assert len(tiles) > 1
    assert len(sizes) == 1
    width, height = sizes.pop()
    assert width <= 90
    assert height <= 80


@pytest.mark.parametrize("size", [*SIZES, (1365, 2048), (300, 20000)])
@pytest.mark.parametrize("area", [1, 50_000, 400_000])
@pytest.mark.parametrize("multiple", [1, 8])
def test_chosen_tiles_fit_into_the_area(size, area, multiple):
    tile = choose_tile(*size, area=area, overlap=49, multiple=multiple)
    padded = [t.padded for t in plan_tiles(*size, tile=tile, overlap=49, multiple=multiple)]
    largest = max((b.right - b.left) * (b.bottom - b.top) for b in padded)
    smallest_possible = (SMALLEST_TILE + 2 * 56) ** 2
    assert largest <= max(area, smallest_possible)


def test_square_tiles_are_taken_where_they_save_overlap():
    tiles = plan_tiles(
        1365, 2048, tile=choose_tile(1365, 2048, area=200_000, overlap=49), overlap=49
    )
    work = sum((t.padded.right - t.padded.left) * (t.padded.bottom - t.padded.top) for t in tiles)
    assert work < 1.65 * 1365 * 2048


def chosen(height, width, area):
    tile = choose_tile(height, width, area=area, overlap=49)
    return plan_tiles(height, width, tile=tile, overlap=49)


def test_a_core_is_no_narrower_than_what_the_network_sees():
    tile = choose_tile(1365, 2048, area=1, overlap=350)
    tiles = plan_tiles(1365, 2048, tile=tile, overlap=350)
    work = sum((t.padded.right - t.padded.left) * (t.padded.bottom - t.padded.top) for t in tiles)
    assert tile == (350, 350)
    assert work < 4 * 1365 * 2048


def test_the_whole_picture_is_one_tile_where_it_fits():
    assert len(chosen(300, 400, area=120_000)) == 1
    assert len(chosen(300, 400, area=119_999)) > 1


def test_a_long_picture_is_cut_across_and_not_along():
    tiles = chosen(100, 10_000, area=60_000)
    assert all((tile.core.top, tile.core.bottom) == (0, 100) for tile in tiles)
    assert len(tiles) == 20


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
    assert seen == [(done, 4) for done in range(1, 5)]
