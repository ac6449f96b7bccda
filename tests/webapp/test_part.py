"""Pictures that are too large for the server, and the part of them that is enlarged."""

from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest
from PIL import Image
from webapp_parts import MAX_PIXELS, VISITOR, run_compare, run_upscale, texture

import sr_hub
from sr_hub.image import decode
from sr_hub.webapp import fields, part, view
from sr_hub.webapp.comparing import TRUTH


@pytest.fixture
def huge(tmp_path):
    path = tmp_path / "huge.png"
    texture(300, 200).save(path)
    return path


@pytest.fixture
def handlers():
    return part.PartHandlers(MAX_PIXELS)


@pytest.fixture
def said(monkeypatch):
    said = []
    monkeypatch.setattr(part.gr, "Warning", lambda words, **_: said.append(words))
    return said


def offered(handlers, path):
    """Whether the fields are shown, the note, the overview, the width, and what is remembered."""
    section, about, shown, _, _, width, large = handlers.offer(str(path), VISITOR)
    return SimpleNamespace(
        visible=section["visible"], about=about, shown=shown, width=width, large=large
    )


def test_a_part_of_the_pictures_shape_is_offered_at_once(handlers, huge, said):
    offer = offered(handlers, huge)
    assert offer.visible and "300 × 200" in offer.about and "173 × 115" in offer.about
    assert offer.width["value"] == 86 and offer.width["maximum"] == 173
    assert offer.large.part == view.Spot(107, 72, 86, 57)
    assert offer.shown.size == view.overview_size((300, 200))
    assert said == []


def test_what_fits_is_not_cut(handlers, offer, photo):
    assert not offered(handlers, photo).visible and offered(handlers, photo).large is None
    assert not handlers.offer(None, VISITOR)[0]["visible"]
    assert run_upscale(offer, photo)[-1][8].size == (60, 40)


@pytest.mark.parametrize("chosen", [(0, 0, 60), (100, 100, 173), (30, 80, 32)])
def test_exactly_the_chosen_part_is_enlarged(handlers, offer, huge, chosen):
    framed, large = handlers.move(offered(handlers, huge).large, *chosen)
    box = large.part.box
    assert box[2] - box[0] == chosen[2] and large.part.width * large.part.height <= MAX_PIXELS
    assert min(box) >= 0 and box[2] <= 300 and box[3] <= 200
    assert framed.tobytes() != offered(handlers, huge).shown.tobytes()
    updates = run_upscale(offer, huge, large=large, also=[])
    file = Path(updates[1][1]["value"])
    expected = sr_hub.Upscaler(offer._folders["rrim-x4"])(decode(huge).crop(box))
    assert decode(file).tobytes() == expected.tobytes()
    assert f"{large.part.width} × {large.part.height}" in updates[-1][6]


def test_a_click_chooses_the_middle_of_the_part(handlers, huge):
    large = offered(handlers, huge).large
    width, height = view.overview_size((300, 200))
    click = SimpleNamespace(index=[width / 4, height / 2])
    assert handlers.point(large, click) == (25, 50)
    moved = handlers.move(large, 25, 50, 86)[1].part
    assert moved.left + moved.width / 2 == pytest.approx(75, abs=1)


def test_a_run_pressed_before_a_part_is_shown_takes_the_first_one(handlers, offer, huge, tmp_path):
    other = tmp_path / "other.png"
    texture(300, 210).save(other)
    stale = handlers.move(offered(handlers, other).large, 0, 0, 40)[1]
    for large in (None, stale):
        state = run_upscale(offer, huge, large=large, also=[])[-1][8]
        assert state.size == (86, 57)


def test_a_turned_photo_is_cut_as_it_is_seen(handlers, offer, tmp_path):
    path, exif = tmp_path / "upright.jpg", Image.Exif()
    exif[274] = 6
    texture(300, 200).save(path, exif=exif)
    large = offered(handlers, path).large
    assert large.size == (200, 300) and large.part.height > large.part.width
    assert large.picture().height > large.picture().width
    state = run_upscale(offer, path, large=large, also=[])[-1][8]
    assert state.size == (large.part.width, large.part.height)


def test_methods_are_compared_on_the_part(handlers, offer, huge):
    large = handlers.move(offered(handlers, huge).large, 10, 10, 80)[1]
    state = run_compare(offer, huge, large=large)[0]
    assert state.results[TRUTH].size == (80, 52)
    cut = decode(huge).crop(large.part.box).crop((0, 0, 80, 52))
    assert state.pixels(TRUTH).tobytes() == cut.tobytes()


def test_a_true_picture_with_a_small_one_beside_it_is_not_cut(offer, huge, photo):
    with pytest.raises(gr.Error, match=r"300 × 200; the server takes at most 20,000 pixels"):
        run_compare(offer, huge, low=str(photo))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("vast.png", "at most 400,000 pixels"),
        ("gone.png", "no longer here"),
        ("half.png", "damaged"),
    ],
)
def test_what_can_not_be_enlarged_is_said_as_soon_as_it_is_given(
    handlers, huge, tmp_path, said, name, says
):
    texture(800, 600).save(tmp_path / "vast.png")
    data = huge.read_bytes()
    (tmp_path / "half.png").write_bytes(data[: len(data) // 2])
    assert not offered(handlers, tmp_path / name).visible
    assert len(said) == 1 and says in said[0]


@pytest.mark.parametrize(
    ("pixels", "shape", "fits"),
    [(3_000_000, (4, 3), "2000 × 1500"), (20_000, (200, 150), "163 × 122")],
)
def test_the_largest_picture_of_a_shape_is_within_the_limit(pixels, shape, fits):
    assert fields.sides(fields.largest(pixels, *shape)) == fits


@pytest.mark.parametrize("size", [(1, 60), (2, 30), (60, 1), (3, 20), (7, 9), (40, 3)])
@pytest.mark.parametrize("limit", [3, 10, 19])
def test_no_part_is_larger_than_the_limit(size, limit):
    most = fields.largest(limit, *size)
    for width in (0, 1, most[0] / 2, most[0], 1e9, float("nan")):
        for place in (0, 33.3, 100, float("nan")):
            part_ = part.part_at(size, most, place, place, width)
            left, top, right, bottom = part_.box
            assert 0 < part_.width * part_.height <= limit
            assert min(left, top) >= 0 and right <= size[0] and bottom <= size[1]


def test_little_is_remembered_of_a_visitors_picture(handlers, tmp_path):
    texture(700, 500).save(tmp_path / "large.png")
    assert len(offered(handlers, tmp_path / "large.png").large.small) < 700 * 500 * 3 / 4
