"""The app without a browser: endpoints over the loopback, handlers, texts, tables, clean-up."""

import csv
import dataclasses
import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

gr = pytest.importorskip("gradio", reason="the app needs gradio (extra `app`)")

from gradio_client import Client, handle_file  # noqa: E402
from gradio_client.exceptions import AppError  # noqa: E402
from webapp_parts import texture, tiny_networks  # noqa: E402

import sr_hub  # noqa: E402
from sr_hub import tables, webapp  # noqa: E402
from sr_hub.convert import convert  # noqa: E402
from sr_hub.errors import SRHubError  # noqa: E402
from sr_hub.evaluate import score  # noqa: E402
from sr_hub.image import decode, to_tensor  # noqa: E402
from sr_hub.interpolate import load_with_fidelity  # noqa: E402
from sr_hub.metrics import Protocol  # noqa: E402
from sr_hub.models import RRDBNet, load_model  # noqa: E402
from sr_hub.publish import push_folder  # noqa: E402
from sr_hub.records import FORMAT, read_results, write_results  # noqa: E402
from sr_hub.webapp import (  # noqa: E402
    comparing,
    fields,
    i18n,
    plot,
    theme,
    upscaling,
    view,
    work,
)
from sr_hub.webapp.benchmarks import Benchmarks  # noqa: E402
from sr_hub.webapp.comparing import CompareHandlers  # noqa: E402
from sr_hub.webapp.engine import OTHERS_KEPT, Engine, StoppedError  # noqa: E402
from sr_hub.webapp.small import make_small  # noqa: E402
from sr_hub.webapp.upscaling import UpscaleHandlers  # noqa: E402
from sr_hub.webapp.work import Work  # noqa: E402

MAX_PIXELS = 20_000
VISITOR = SimpleNamespace(session_hash="visitor", cookies={}, headers={})


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return tiny_networks(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Stored results of two models on Set5."""
    folder = tmp_path_factory.mktemp("results")
    rows, seconds = [], []
    for model, psnr in (("bicubic", 28.43), ("rrim-x4", 31.0)):
        for protocol in Protocol:
            mean = {"psnr": psnr, "ssim": 0.8, "fsim": 0.9, "rmse": 0.0031}
            rows.append(
                {"dataset": "Set5", "model": model, "protocol": str(protocol), "mean": mean}
            )
        seconds.append({"dataset": "Set5", "model": model, "mean": 0.1, "pictures": [0.1]})
    stored = {
        "format": FORMAT,
        "scale": 4,
        "datasets": {"Set5": {}},
        "results": rows,
        "seconds": seconds,
        "command": "python -m sr_hub eval --data Set5",
        "hardware": "a machine",
    }
    write_results(stored, folder / "all.json")
    return folder


@pytest.fixture(scope="module")
def url(models, results):
    demo = webapp.build_app(models, max_pixels=MAX_PIXELS, results=results)
    _, address, _ = demo.launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **webapp.launch_options()
    )
    yield address
    demo.close()


@pytest.fixture(scope="module")
def client(url, tmp_path_factory):
    return Client(url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


@pytest.fixture
def offer(models):
    return Engine(models, max_pixels=MAX_PIXELS)


def upscale(client, path, model="rrim-x4"):
    return client.predict(handle_file(str(path)), model, api_name="/upscale")


def test_endpoint_gives_the_pixels_of_upscaler_upright_under_the_files_name(
    client, models, tmp_path
):
    path = tmp_path / "my photo.jpg"
    exif = Image.Exif()
    exif[274] = 6  # the camera lay on its side
    texture(30, 20).save(path, exif=exif, quality=90)
    file, facts = upscale(client, path)
    expected = sr_hub.Upscaler(load_model(models["rrim-x4"]))(decode(path))
    with Image.open(file) as result:
        assert Path(file).name == "my photo_rrim-x4.png"
        assert result.format == "PNG" and result.size == (80, 120)
        assert result.tobytes() == expected.tobytes()
    assert facts["input"] == [20, 30] and facts["output"] == [80, 120]
    assert facts["seconds"] > 0 and 10 < facts["consistency_psnr"] < 60


@pytest.mark.parametrize("mode", ["I;16", "RGBA", "L"])
def test_depth_transparency_and_grey_survive(client, models, tmp_path, mode):
    path = tmp_path / "picture.png"
    if mode == "I;16":
        image = Image.fromarray((np.arange(30 * 20, dtype=np.uint16) * 101).reshape(20, 30))
    else:
        image = texture(30, 20, "RGB").convert(mode)
    if mode == "RGBA":
        image.putalpha(texture(30, 20, "L"))
    image.save(path)
    with Image.open(upscale(client, path)[0]) as result:
        expected = sr_hub.Upscaler(load_model(models["rrim-x4"]))(decode(path))
        assert result.mode == mode
        assert np.array_equal(np.asarray(result), np.asarray(expected))


def test_what_is_not_a_picture_is_one_clear_line(client, tmp_path):
    path = tmp_path / "letter.png"
    path.write_text("Dear picture")
    with pytest.raises(AppError, match=r"^letter\.png is not a picture of a known format\. Save"):
        upscale(client, path)


def test_too_many_pixels_are_refused_with_size_and_limit(client, tmp_path):
    path = tmp_path / "large.png"
    texture(200, 150).save(path)
    with pytest.raises(AppError, match=r"200 × 150, .*30,000 pixels; .* up to 20,000 pixels"):
        upscale(client, path)


@pytest.mark.parametrize("name", ["nothing", "../models", "/etc", "sr_hub/webapp", "a/b/c", ""])
def test_a_name_that_is_no_hub_id_loads_nothing(client, tmp_path, name):
    texture(8, 8).save(tmp_path / "picture.png")
    with pytest.raises(AppError, match="not a Hub id"):
        upscale(client, tmp_path / "picture.png", name)


@pytest.mark.parametrize(
    ("endpoint", "asked", "says"),
    [
        ("/upscale", ["photo", None], "at least one method"),
        ("/upscale", [None, "rrim-x4"], "a picture first"),
        ("/upscale", ["photo.png", "rrim-x4"], "photo.png.* give handle_file"),
        ("/compare", ["photo", None, "y"], "at least one method"),
        ("/compare", ["photo", "bicubic", "y"], "at least one method"),
        ("/compare", ["photo", ["bicubic"], None], "it is one of y, rgb, report"),
        ("/compare", [7, ["bicubic"], "y"], "7 is not an uploaded picture"),
    ],
)
def test_what_a_program_leaves_out_is_one_clear_line(client, photo, endpoint, asked, says):
    values = [handle_file(str(photo)) if value == "photo" else value for value in asked]
    with pytest.raises(AppError, match=says):
        client.predict(*values, api_name=endpoint)


def test_programs_see_two_endpoints_and_nothing_private(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert set(endpoints) == {"/upscale", "/compare"}
    assert not client.view_api(return_format="dict")["unnamed_endpoints"]


def test_a_visitor_who_leaves_stops_the_run(client):
    targets = [target for each in client.config["dependencies"] for target in each["targets"]]
    assert "unload" in [event for _, event in targets]


def test_compare_endpoint_gives_the_numbers_of_evaluate(client, models, tmp_path):
    path = tmp_path / "truth.png"
    texture(64, 48).save(path)
    answer = client.predict(
        handle_file(str(path)), ["bicubic", "rrim-x4"], "rgb", api_name="/compare"
    )
    hr = to_tensor(decode(path))
    lr = make_small(hr, 0, 0, 100)
    outputs = {
        name: sr_hub.Upscaler(models.get(name, name)).run(lr) for name in ("bicubic", "rrim-x4")
    }
    expected = score(outputs, hr, ["rgb"], 4)["rgb"]
    assert answer["protocol"] == "rgb" and "no border cropped" in answer["definition"]
    for name, values in expected.items():
        found = {k: v for k, v in answer["models"][name].items() if k != "seconds"}
        assert found == pytest.approx(values, rel=1e-6)


def test_a_network_is_loaded_once_for_all_threads(offer):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(offer.upscaler, ["rrim-x4"] * 8))
    assert all(upscaler is found[0] for upscaler in found)


def test_lists_start_with_bicubic_and_the_reports_model_is_the_default(offer):
    assert offer.names == ["bicubic", "srgan-x4", "rrim-x4", "rrim-gan-x4", "small-x2"]
    assert offer.default == "rrim-x4"


def test_the_limit_comes_from_the_environment(models, monkeypatch):
    monkeypatch.setenv("SR_HUB_MAX_PIXELS", "1234")
    assert Engine(models).max_pixels == 1234


def test_a_public_hub_model_runs_and_a_private_one_is_not_reached(hub, models, offer):
    network = load_model(models["srgan-x4"])
    network.push_to_hub("user/public-x4")
    network.push_to_hub("user/private-x4", private=True)
    image = texture(12, 8)
    picture, _ = offer.enlarge("user/public-x4", image)
    assert picture.tobytes() == offer.enlarge("srgan-x4", image)[0].tobytes()
    assert picture.info["text"]["Model"] == "user/public-x4"
    with pytest.raises(SRHubError):
        offer.enlarge("user/private-x4", image)


def test_converted_weights_run_in_the_app_as_they_did_elsewhere(hub, offer, tmp_path):
    network = RRDBNet(channels=16, blocks=1, growth=8).eval()
    torch.save({"params_ema": network.state_dict()}, tmp_path / "esrgan.pth")
    convert(tmp_path / "esrgan.pth", tmp_path / "out", license="apache-2.0")
    push_folder(tmp_path / "out", "user/esrgan-x4")
    picture, _ = offer.enlarge("user/esrgan-x4", texture(12, 8, "RGB"))
    expected = sr_hub.Upscaler(network)(texture(12, 8, "RGB"))
    assert picture.size == (48, 32)
    assert picture.tobytes() == expected.tobytes()


def test_the_bar_moves_within_a_tile_and_never_back(offer):
    parts = []
    offer.enlarge("srgan-x4", texture(24, 16, "RGB"), parts.append)
    assert len(parts) > 5 and parts == sorted(parts) and parts[-1] == 1


def test_stop_ends_the_run_of_that_visitor_only_in_the_midst_of_a_tile(offer):
    with offer.running("visitor"), offer.running("another"):
        offer.stop("visitor")
        offer.check("another")
        with pytest.raises(StoppedError):
            offer.enlarge("rrim-x4", texture(8, 8), lambda part: offer.check("visitor"))
    offer.stop("visitor")
    with offer.running("visitor"):
        offer.check("visitor")


def run_upscale(offer, path, **changes):
    arguments = {"model": "rrim-x4", "fidelity": 1, "hub": "", "also": ["srgan-x4"], "old": None}
    arguments |= changes
    arguments.setdefault("fidelity_of", arguments["model"])
    handlers = UpscaleHandlers(offer)
    return list(handlers.run(str(path), **arguments, request=VISITOR, progress=lambda *_, **__: 0))


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    texture(60, 40).save(path)
    return path


def test_a_run_shows_the_chosen_model_first_and_then_the_same_spot_by_all(offer, photo):
    updates = run_upscale(offer, photo)
    slider, download, *_ = updates[1]
    assert slider["label"] == "bicubic | rrim-x4" and len(slider["value"]) == 2
    assert Path(download["value"]).name == "photo_rrim-x4.png"
    panes = updates[-1][-6:]
    assert [pane["label"] for pane in panes[:3]] == ["bicubic", "srgan-x4", "rrim-x4"]
    assert [pane["visible"] for pane in panes] == [True] * 3 + [False] * 3
    expected = offer.enlarge("rrim-x4", Image.open(photo))[0]
    state = updates[-1][6]
    spot = view.spot_at(state.size, *state.spot)
    part = np.asarray(expected)[
        spot.top * 4 : (spot.top + spot.height) * 4, spot.left * 4 : (spot.left + spot.width) * 4
    ]
    with Image.open(panes[2]["value"]) as pane:
        assert np.array_equal(np.asarray(pane)[::3, ::3], part)


def test_a_fidelity_between_the_ends_is_named_everywhere(offer, models, photo):
    updates = run_upscale(offer, photo, fidelity=0.5)
    name, state = "rrim-x4 at fidelity 0.5", updates[-1][6]
    slider, download, _, _, table, *_ = updates[1]
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
    assert updates[-1][6].chosen == chosen


def test_a_model_chosen_a_moment_ago_runs_though_the_slider_has_not_followed_yet(offer, photo):
    quick = {"model": "rrim-gan-x4", "fidelity": 1, "fidelity_of": "rrim-x4", "also": []}
    assert run_upscale(offer, photo, **quick)[-1][6].chosen == "rrim-gan-x4"


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
    handlers, state = UpscaleHandlers(offer), run_upscale(offer, photo)[-1][6]
    width, height = view.overview_size(state.size)
    at = handlers.point(state, SimpleNamespace(index=[width / 4, height / 2]))
    assert at == (25, 50)
    before = Path(handlers.look(state, 10, 10, 8)[1]["value"]).read_bytes()
    after = Path(handlers.look(state, 90, 90, 8)[1]["value"]).read_bytes()
    assert before != after


def test_a_model_of_another_scale_is_compared_with_bicubic_of_that_scale(offer, photo):
    last = run_upscale(offer, photo, model="small-x2")[-1]
    state = last[6]
    assert state.results["bicubic"].size == state.results["small-x2"].size == (120, 80)
    assert state.results["srgan-x4"].size == (240, 160)
    sizes = {Image.open(pane["value"]).size for pane in last[-6:-3]}
    assert len(sizes) == 1


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (2, 5)])
def test_odd_sizes_run_through(offer, tmp_path, size):
    path = tmp_path / "odd.png"
    texture(*size).save(path)
    assert run_upscale(offer, path)[-1][6].results["rrim-x4"].size == (size[0] * 4, size[1] * 4)


def test_names_from_outside_are_not_html(offer, photo):
    state = run_upscale(offer, photo)[-1][6]
    state.results["<img src=x>"] = state.results.pop("srgan-x4")
    state.order = ["<img src=x>"]
    html = webapp.upscaling.numbers(state, i18n.texts("en").__getitem__)
    assert "<img" not in html and "&lt;img" in html


def test_an_animation_is_said_to_be_one(offer, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(fields.gr, "Warning", said.append)
    frames = [texture(8, 8), texture(8, 9).resize((8, 8))]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    fields.read_picture(str(tmp_path / "moving.gif"), MAX_PIXELS)
    assert len(said) == 1 and "moving.gif" in said[0] and "2 pictures" in said[0]


def test_a_run_that_fails_leaves_what_the_page_shows(offer, photo, truth):
    first = run_upscale(offer, photo)[-1][6]
    with pytest.raises(gr.Error):
        run_upscale(offer, photo, hub="no id", old=first)
    assert UpscaleHandlers(offer).look(first, 1, 1, 1) != (gr.skip(),) * 7
    compared = run_compare(offer, truth)[0]
    with pytest.raises(gr.Error):
        run_compare(offer, truth, models=("no id",), old=compared)
    assert compared.folder.exists()
    run_compare(offer, truth, old=compared)
    assert not compared.folder.exists()


def test_methods_beyond_those_shown_are_named(offer, photo, monkeypatch):
    said = []
    monkeypatch.setattr(gr, "Info", said.append)
    also = ["nearest", "bilinear", "bicubic-opencv", "srgan-x4", "rrim-gan-x4"]
    assert len(run_upscale(offer, photo, also=also)[-1][6].results) == 6
    assert len(said) == 1 and "6 methods" in said[0] and said[0].endswith("rrim-gan-x4")


def test_only_results_of_one_scale_compete(offer, photo):
    state = run_upscale(offer, photo, also=[])[-1][6]
    say = i18n.texts("en").__getitem__
    assert "class='best'" in upscaling.numbers(state, say)
    result = state.results["bicubic"]
    state.results["bicubic"] = dataclasses.replace(result, scale=2)
    assert "class='best'" not in upscaling.numbers(state, say)


def test_a_new_run_and_old_age_remove_a_visitors_files(offer, photo):
    first = run_upscale(offer, photo)[-1][6]
    second = run_upscale(offer, photo, old=first)[-1][6]
    assert not first.folder.exists() and second.folder.exists()
    past = time.time() - work.KEPT_SECONDS - 1
    os.utime(second.folder, (past, past))
    run_upscale(offer, photo)
    assert not second.folder.exists()
    assert UpscaleHandlers(offer).look(second, 1, 1, 1) == (gr.skip(),) * 7


def run_compare(
    offer,
    path,
    low=None,
    damage=(0, 0, 100),
    models=("bicubic", "rrim-x4"),
    old=None,
    visitor=VISITOR,
):
    return CompareHandlers(offer).run(
        str(path), low, *damage, list(models), "y", old, visitor, lambda *_, **__: 0
    )


@pytest.fixture
def truth(tmp_path):
    path = tmp_path / "truth.png"
    texture(97, 66).save(path)
    return path


def test_another_protocol_changes_the_numbers_and_runs_nothing(offer, truth, monkeypatch):
    state, *_, table, file, _, _, _ = run_compare(offer, truth)
    monkeypatch.setattr(Engine, "enlarge", lambda *_: pytest.fail("a network was run"))
    again, report, *_ = CompareHandlers(offer).rescore(state, "report", VISITOR)
    assert Protocol.Y.definition.split(",")[0] in table
    assert "4095" in again and "4095" not in table
    for csv_file, protocol in ((file, "y"), (report, "report")):
        rows = list(csv.DictReader(Path(csv_file["value"]).read_text().splitlines()))
        assert [row["model"] for row in rows] == ["bicubic", "rrim-x4"]
        expected = comparing.measured(state, protocol)[0].values["psnr"]
        assert float(rows[0]["psnr"]) == pytest.approx(expected, rel=1e-5)
        assert rows[0]["protocol"] == protocol and rows[0]["definition"]


def test_galleries_hold_truth_results_and_error_maps(offer, truth):
    _, section, pictures, maps, *_ = run_compare(offer, truth)
    assert section["visible"]
    assert [caption for _, caption in pictures][1:3] == ["bicubic", "rrim-x4"]
    assert [Image.open(path).size for path, _ in pictures] == [(96, 64)] * 3 + [(24, 16)]
    assert [caption for _, caption in maps] == ["bicubic", "rrim-x4"]


def test_damage_changes_the_small_picture_and_repeats(truth):
    hr = to_tensor(decode(truth))
    clean = make_small(hr, 0, 0, 100)
    for damage in ((1.5, 0, 100), (0, 10, 100), (0, 0, 30)):
        damaged = make_small(hr, *damage)
        assert damaged.shape == clean.shape and not torch.equal(damaged, clean)
        assert torch.equal(damaged, make_small(hr, *damage))
        assert torch.equal((damaged * 255).round() / 255, damaged)


def test_a_small_picture_of_ones_own_is_used_and_must_fit(offer, truth, tmp_path):
    texture(24, 16).save(tmp_path / "low.png")
    state = run_compare(offer, truth, str(tmp_path / "low.png"))[0]
    assert np.array_equal(state.pixels("small"), np.asarray(texture(24, 16)))
    texture(30, 16).save(tmp_path / "wrong.png")
    with pytest.raises(gr.Error, match="must be 24 × 16"):
        run_compare(offer, truth, str(tmp_path / "wrong.png"))


@pytest.mark.parametrize(
    ("size", "damage", "methods", "says"),
    [
        ((1, 1), (0, 0, 100), ["bicubic"], "1 × 1; .* 4 pixels"),
        ((8, 8), (2, 0, 100), ["bicubic"], "8 × 8; .* 10 pixels"),
        ((16, 16), (0, 0, 100), [], "at least one method"),
        ((16, 16), (0, 0, 100), ["small-x2"], "compares x4"),
    ],
)
def test_what_can_not_be_compared_is_one_clear_line(offer, tmp_path, size, damage, methods, says):
    texture(*size).save(tmp_path / "truth.png")
    with pytest.raises(gr.Error, match=says):
        run_compare(offer, tmp_path / "truth.png", None, damage, methods)


def test_results_of_another_scale_are_a_benchmark_of_their_own(results, tmp_path):
    stored = read_results(results / "all.json")
    write_results(stored, tmp_path / "x4.json")
    halved = [row | {"mean": row["mean"] | {"psnr": 36.0}} for row in stored["results"]]
    write_results(stored | {"scale": 2, "results": halved}, tmp_path / "x2.json")
    both = Benchmarks(tmp_path)
    assert both.datasets[0] == "Set5" and both.datasets[-1] == "Set5 ×2"
    assert {row.values["psnr"] for row in both.rows("Set5 ×2", "y")} == {36.0}
    assert 36.0 not in {row.values["psnr"] for row in both.rows("Set5", "y")}


def test_benchmarks_stand_beside_the_reports_rows_under_its_own_protocol_only(results):
    stored, say = Benchmarks(results), i18n.texts("en").__getitem__
    table = stored.table("Set5", "report", say)
    assert "report: Ours" in table and "26.8981" in table and "rrim-x4" in table
    assert "report: Ours" not in stored.table("Set5", "y", say)
    assert "26.8981" in stored.reports("Set5", "y", say)
    assert "22.0793" in stored.reports("Urban100", "y", say)
    assert "29.057<" in stored.reports("Set5", "y", say)
    assert "eval --data Set5" in table and stored.datasets[0] == "Set5"


def test_the_plot_names_every_point_inside_the_drawing(results):
    html = Benchmarks(results).plot("Set5", "y", i18n.texts("en").__getitem__)
    points = [plot.Point("a", 0.001, 28), plot.Point("b", 0.3, 31), plot.Point("c", 0.3, 31)]
    assert html.count("<circle") == 2 and "rrim-x4" in html
    svg = plot.scatter([*points, plot.Point("broken", 0, 1)], "x", "y")
    assert svg.count("<circle") == 3 and "broken" not in svg
    places = re.findall(r"<circle cx='([\d.]+)' cy='([\d.]+)'", svg)
    assert all(0 < float(x) < plot.WIDTH and 0 < float(y) < plot.HEIGHT for x, y in places)


def test_names_of_crowded_points_stand_apart_and_clear_of_the_points():
    points = [plot.Point(f"network-{i:02}-x4", 0.3 + i * 0.004, 30 + i % 3 / 50) for i in range(12)]
    svg = plot.scatter([*points, plot.Point("bicubic", 0.002, 28)], "x", "y")
    found = re.findall(
        r"<text x='([\d.]+)' y='([\d.]+)' class='name' text-anchor='(\w+)'>([^<]+)<", svg
    )
    assert {name for *_, name in found} == {p.name for p in points} | {"bicubic"}
    boxes = []
    for x, y, anchor, name in found:
        width = 6.5 * len(name)  # of a 13 px letter
        left = float(x) - {"start": 0, "middle": width / 2, "end": width}[anchor]
        boxes.append((left, float(y) - 11, left + width, float(y) + 3))
    dots = re.findall(r"<circle cx='([\d.]+)' cy='([\d.]+)'", svg)
    boxes += [(float(x), float(y), float(x), float(y)) for x, y in dots]
    for i, one in enumerate(boxes[: len(found)]):
        assert one[0] >= 0 and one[2] <= plot.WIDTH
        for other in boxes[i + 1 :]:
            across = one[0] < other[2] and other[0] < one[2]
            assert not (across and one[1] < other[3] and other[1] < one[3])
    assert "class='leader'" in svg


def test_every_language_has_every_text_and_none_looks_like_a_placeholder():
    english = i18n.texts("en")
    for language in i18n.LANGUAGES:
        texts = i18n.texts(language)
        assert texts.keys() == english.keys()
        assert not [key for key, words in texts.items() if "{" in words or not words.strip()]
        assert all(texts[k].count("%s") == english[k].count("%s") for k in english)


def test_every_text_is_used_somewhere():
    source = "".join(p.read_text() for p in Path(webapp.__file__).parent.glob("*.py"))
    built = {f"{page}_{part}" for page in theme.PAGES for part in ("title", "lead")}
    built |= {f"home_{page}_{part}" for page in theme.PAGES for part in ("title", "text")}
    built |= {f"nav_{page}" for page in theme.PAGES}
    built |= {f"protocol_{protocol}" for protocol in Protocol}
    built |= {f"table_{column}" for column in tables.COLUMNS}
    for key in i18n.texts("en").keys() - built:
        assert key in source or f'"{key.split("_", 1)[1]}"' in source, key


@pytest.mark.parametrize(
    ("cookie", "accepts", "language"),
    [
        ("zh-CN", "en", "zh-CN"),
        (None, "zh-Hant-HK,zh;q=0.9", "zh-TW"),
        (None, "zh-SG", "zh-CN"),
        (None, "de,en;q=0.5", "en"),
        ("nonsense", "", "en"),
    ],
)
def test_notices_speak_the_visitors_language(cookie, accepts, language):
    cookies = {i18n.COOKIE: cookie} if cookie else {}
    request = SimpleNamespace(cookies=cookies, headers={"accept-language": accepts})
    assert i18n.language_of(request) == language
    assert i18n.message("no_picture", request) == i18n.texts(language)["message_no_picture"]


def write_words(path):
    path.write_text("Dear picture")


def write_half(path):
    texture(60, 40).save(path)
    path.write_bytes(path.read_bytes()[:200])


@pytest.mark.parametrize(
    ("write", "notice"),
    [
        (write_words, "unknown_format"),
        (write_half, "damaged"),
        (lambda path: texture(200, 150).save(path), "too_large"),
        (lambda path: texture(3, 2).save(path), "too_small"),
        (lambda path: None, "gone"),
    ],
)
def test_refused_pictures_are_refused_in_the_visitors_language(offer, tmp_path, write, notice):
    write(tmp_path / "letter.png")
    for language in i18n.LANGUAGES:
        visitor = SimpleNamespace(session_hash="v", cookies={i18n.COOKIE: language}, headers={})
        with pytest.raises(gr.Error) as refused:
            run_compare(offer, tmp_path / "letter.png", visitor=visitor)
        words = re.split("%s", i18n.texts(language)[f"message_{notice}"])
        assert all(part in refused.value.message for part in words)


def test_a_picture_with_more_pixels_than_pillow_opens_is_too_large(offer, photo, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(gr.Error, match=r"photo\.png has more than 2,000 pixels"):
        run_upscale(offer, photo)


def test_protocols_are_defined_in_the_visitors_language(offer, truth, results):
    state = run_compare(offer, truth)[0]
    for protocol in Protocol:
        english = i18n.texts("en")[f"protocol_{protocol}"]
        assert english == protocol.definition.replace("`", "") + "."
        for language in i18n.LANGUAGES:
            say = i18n.texts(language).__getitem__
            assert say(f"protocol_{protocol}") in comparing.numbers(state, protocol, say)[0]
            assert say(f"protocol_{protocol}") in Benchmarks(results).table("Set5", protocol, say)
            assert language == "en" or english not in say(f"protocol_{protocol}")


def test_without_checkpoints_the_app_still_offers_bicubic():
    assert Engine({}).names == ["bicubic"] and Engine({}).default == "bicubic"


def test_a_zero_gpu_machine_gets_the_run_and_others_do_not(models, monkeypatch):
    calls = []
    spaces = SimpleNamespace(GPU=lambda f: lambda *a: calls.append(a[0]) or f(*a))
    monkeypatch.setitem(sys.modules, "spaces", spaces)
    Engine(models).enlarge("rrim-x4", texture(8, 8), lambda *_: pytest.fail("not picklable"))
    assert calls == ["rrim-x4"]


def test_a_work_keeps_what_was_given(tmp_path):
    image = texture(10, 6)
    kept = Work.begin(tmp_path, "a/b/holiday.final.JPG", image, "bicubic", ["bicubic"])
    kept.keep("bicubic", image)
    long = Work.begin(tmp_path, "照" * 200 + ".jpg", image, "bicubic", ["bicubic"])
    assert long.save(image, f"{long.stem}_rrim-gan-x4.png").exists()
    assert kept.stem == "holiday.final" and np.array_equal(
        kept.pixels("bicubic"), np.asarray(image)
    )
