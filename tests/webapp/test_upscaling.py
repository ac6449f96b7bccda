"""The Upscale page without a browser: what its handlers show."""

import dataclasses
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageCms

gr = pytest.importorskip("gradio", reason="the app needs gradio (extra `app`)")

from gradio_client.exceptions import AppError  # noqa: E402
from webapp_parts import (  # noqa: E402
    MAX_PIXELS,
    VISITOR,
    run_compare,
    run_upscale,
    texture,
    upscale,
)

import sr_hub  # noqa: E402
from sr_hub import webapp  # noqa: E402
from sr_hub.image import decode  # noqa: E402
from sr_hub.interpolate import load_with_fidelity  # noqa: E402
from sr_hub.webapp import (  # noqa: E402
    fields,
    i18n,
    upscaling,
    view,
    work,
)
from sr_hub.webapp.comparing import CompareHandlers  # noqa: E402
from sr_hub.webapp.engine import OTHERS_KEPT, Engine  # noqa: E402
from sr_hub.webapp.upscaling import UpscaleHandlers  # noqa: E402


def test_a_run_shows_the_chosen_model_first_and_then_the_same_spot_by_all(offer, photo):
    updates = run_upscale(offer, photo)
    slider, download, *_ = updates[1]
    assert slider["label"] == "bicubic | rrim-x4" and len(slider["value"]) == 2
    assert Path(download["value"]).name == "photo_rrim-x4.png"
    panes = updates[-1][-6:]
    assert [pane["label"] for pane in panes[:3]] == ["bicubic", "srgan-x4", "rrim-x4"]
    assert [pane["visible"] for pane in panes] == [True] * 3 + [False] * 3
    expected = offer.enlarge("rrim-x4", Image.open(photo))[0]
    state = updates[-1][8]
    spot = view.spot_at(state.size, *state.spot)
    part = np.asarray(expected)[
        spot.top * 4 : (spot.top + spot.height) * 4, spot.left * 4 : (spot.left + spot.width) * 4
    ]
    with Image.open(panes[2]["value"]) as pane:
        assert np.array_equal(np.asarray(pane)[::3, ::3], part)


def test_a_fidelity_between_the_ends_is_named_everywhere(offer, models, photo):
    updates = run_upscale(offer, photo, fidelity=0.5)
    name, state = "rrim-x4 at fidelity 0.5", updates[-1][8]
    slider, download, _, _, _, _, table, *_ = updates[1]
    assert slider["label"] == f"bicubic | {name}" and name in table
    assert Path(download["value"]).name == "photo_rrim-x4-at-fidelity-0.5.png"
    expected = sr_hub.Upscaler(load_with_fidelity("rrim-x4", 0.5, models))(decode(photo))
    result = decode(Path(download["value"]))
    assert result.tobytes() == expected.tobytes()
    assert result.info["text"]["Model"] == name and state.chosen == name
    assert result.tobytes() != offer.enlarge("rrim-x4", decode(photo))[0].tobytes()


@pytest.mark.parametrize(
    ("model", "fidelity", "chosen"),
    [
        ("rrim-x4", 1, "rrim-x4"),
        ("rrim-x4", 0, "rrim-gan-x4"),
        ("rrim-gan-x4", 0, "rrim-gan-x4"),
        ("srgan-x4", 0.5, "srgan-x4"),  # srresnet-x4 is not there
    ],
)
def test_the_ends_of_the_fidelity_are_the_two_models(offer, photo, model, fidelity, chosen):
    updates = run_upscale(offer, photo, model=model, fidelity=fidelity, also=[])
    assert updates[-1][8].chosen == chosen


def test_a_model_chosen_a_moment_ago_runs_though_the_slider_has_not_followed_yet(offer, photo):
    quick = {"model": "rrim-gan-x4", "fidelity": 1, "fidelity_of": "rrim-x4", "also": []}
    assert run_upscale(offer, photo, **quick)[-1][8].chosen == "rrim-gan-x4"


def test_the_fidelity_slider_starts_at_the_models_end_and_hides_without_a_partner(offer, client):
    shown = UpscaleHandlers(offer).offer_fidelity
    for model, value in {"rrim-x4": 1, "rrim-gan-x4": 0}.items():
        update, of = shown(model)
        assert update["visible"] and update["value"] == value and of == model
    assert not any(shown(model)[0]["visible"] for model in ("srgan-x4", "bicubic"))
    slider = next(
        part["props"]
        for part in client.config["components"]
        if part["props"].get("elem_id") == "fidelity"
    )
    assert slider["visible"] and slider["value"] == 1


def test_few_fidelities_stay_loaded(offer):
    for fidelity in (0.1, 0.2, 0.3, 0.4):
        offer.upscaler(offer.at_fidelity("rrim-x4", fidelity))
    assert list(offer._others)[-1] == "rrim-x4 at fidelity 0.4"
    assert len(offer._others) == OTHERS_KEPT


def test_programs_ask_for_a_fidelity_by_name(client, photo):
    file, facts = upscale(client, photo, "rrim-gan-x4 at fidelity 0.25")
    assert facts["model"] == "rrim-gan-x4 at fidelity 0.25"
    assert Path(file).name == "photo_rrim-gan-x4-at-fidelity-0.25.png"
    for name, says in {
        "rrim-x4 at fidelity 1.5": "goes from 0",
        "srgan-x4 at fidelity 0.5": "srgan-x4 is alone: use rrim-x4",
        "rrim-x4 at fidelity 1..5": "not a Hub id",
    }.items():
        with pytest.raises(AppError, match=says):
            upscale(client, photo, name)


def test_a_click_moves_the_spot(offer, photo):
    handlers, state = UpscaleHandlers(offer), run_upscale(offer, photo)[-1][8]
    width, height = view.overview_size(state.size)
    at = handlers.point(state, SimpleNamespace(index=[width / 4, height / 2]))
    assert at == (25, 50)
    before = Path(handlers.look(state, 10, 10, 8)[1]["value"]).read_bytes()
    after = Path(handlers.look(state, 90, 90, 8)[1]["value"]).read_bytes()
    assert before != after


def test_a_model_of_another_scale_is_compared_with_bicubic_of_that_scale(offer, photo):
    last = run_upscale(offer, photo, model="small-x2")[-1]
    state = last[8]
    assert state.results["bicubic"].size == state.results["small-x2"].size == (120, 80)
    assert state.results["srgan-x4"].size == (240, 160)
    sizes = {Image.open(pane["value"]).size for pane in last[-6:-3]}
    alone = run_upscale(offer, photo, model="small-x2", also=[])[-1]
    sizes |= {Image.open(pane["value"]).size for pane in alone[-6:-4]}
    assert len(sizes) == 1


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (2, 5)])
def test_odd_sizes_run_through(offer, tmp_path, size):
    path = tmp_path / "odd.png"
    texture(*size).save(path)
    assert run_upscale(offer, path)[-1][8].results["rrim-x4"].size == (size[0] * 4, size[1] * 4)


def test_names_from_outside_are_not_html(offer, photo):
    state = run_upscale(offer, photo)[-1][8]
    state.results["<img src=x>"] = state.results.pop("srgan-x4")
    state.order, state.stem = ["<img src=x>"], "<img src=y>"
    html = webapp.upscaling.numbers(state, i18n.texts("en").__getitem__)
    assert "<img" not in html and html.count("&lt;img") == 2


def test_an_animation_is_said_to_be_one(offer, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(fields.gr, "Warning", said.append)
    frames = [texture(8, 8), texture(8, 9).resize((8, 8))]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    fields.read_picture(str(tmp_path / "moving.gif"), MAX_PIXELS, None)
    assert len(said) == 1 and "moving.gif" in said[0] and "2 pictures" in said[0]


def test_a_run_that_fails_leaves_what_the_page_shows(offer, photo, truth):
    first = run_upscale(offer, photo)[-1][8]
    with pytest.raises(gr.Error):
        run_upscale(offer, photo, hub="no id", old=first)
    assert UpscaleHandlers(offer).look(first, 1, 1, 1) != (gr.skip(),) * 7
    compared = run_compare(offer, truth)[0]
    with pytest.raises(gr.Error):
        run_compare(offer, truth, models=("no id",), old=compared)
    assert compared.folder.exists()
    run_compare(offer, truth, old=compared)
    assert not compared.folder.exists()


@pytest.mark.parametrize("page", [UpscaleHandlers, CompareHandlers])
def test_another_picture_takes_the_results_of_the_one_before_away(offer, photo, page, monkeypatch):
    said = []
    monkeypatch.setattr(fields.gr, "Warning", lambda words, **_: said.append(words))
    run = run_upscale if page is UpscaleHandlers else run_compare
    shown = run(offer, photo)
    old = next(v for v in (shown[-1] if run is run_upscale else shown) if isinstance(v, work.Work))
    emptied = page(offer).change(str(photo), old, VISITOR)
    assert not old.folder.exists() and not said
    assert None in emptied and not any(isinstance(value, work.Work) for value in emptied)
    assert {"visible": False, "__type__": "update"} in emptied


def test_methods_beyond_those_shown_are_named(offer, photo, monkeypatch):
    said = []
    monkeypatch.setattr(gr, "Info", said.append)
    also = ["nearest", "bilinear", "bicubic-opencv", "srgan-x4", "rrim-gan-x4"]
    assert len(run_upscale(offer, photo, also=also)[-1][8].results) == 6
    assert len(said) == 1 and "6 methods" in said[0] and said[0].endswith("rrim-gan-x4")


def test_only_results_of_one_scale_compete(offer, photo):
    state = run_upscale(offer, photo, also=[])[-1][8]
    say = i18n.texts("en").__getitem__
    assert "class='best'" in upscaling.numbers(state, say)
    result = state.results["bicubic"]
    state.results["bicubic"] = dataclasses.replace(result, scale=2)
    assert "class='best'" not in upscaling.numbers(state, say)


def test_old_files_are_looked_for_as_long_as_the_app_runs(tmp_path, monkeypatch):
    looked = threading.Event()
    monkeypatch.setattr(work, "SWEEP_SECONDS", 0.01)

    def sweep(root):
        looked.set()
        raise FileNotFoundError("discarded meanwhile")

    monkeypatch.setattr(work, "sweep", sweep)
    (tmp_path / "root").mkdir()
    work.keep_swept(tmp_path / "root")
    assert looked.wait(60)
    looked.clear()
    assert looked.wait(60)
    (tmp_path / "root").rmdir()
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "sweep"][-1:]
    thread.join(60)
    assert not thread.is_alive()


def test_a_huge_colour_profile_does_not_break_the_page(offer, tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    texture(40, 30).save(tmp_path / "photo.tif", icc_profile=profile + bytes(1_500_000))
    last = run_upscale(offer, tmp_path / "photo.tif")[-1]
    assert last[8].results["rrim-x4"].size == (160, 120)


@pytest.mark.parametrize("size", [(1, 200_000), (30_000, 10)])
def test_what_is_far_too_thin_is_refused(models, tmp_path, size):
    Image.new("L", size).save(tmp_path / "thin.png")
    with pytest.raises(gr.Error, match=r"too long and thin"):
        run_upscale(Engine(models), tmp_path / "thin.png")


def test_a_new_run_and_old_age_remove_a_visitors_files(offer, photo):
    first = run_upscale(offer, photo)[-1][8]
    second = run_upscale(offer, photo, old=first)[-1][8]
    assert not first.folder.exists() and second.folder.exists()
    past = time.time() - work.KEPT_SECONDS - 1
    os.utime(second.folder, (past, past))
    work.sweep(offer.root)
    assert not second.folder.exists()
    assert UpscaleHandlers(offer).look(second, 1, 1, 1) == (gr.skip(),) * 7
