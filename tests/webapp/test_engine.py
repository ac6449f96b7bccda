"""The networks of the app: loaded once, run for one visitor at a time, stopped on request."""

import runpy
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("gradio", reason="the app needs gradio (extra `app`)")

from huggingface_hub import HfApi
from webapp_parts import run_compare, run_upscale, texture

import sr_hub
from sr_hub.convert import convert
from sr_hub.errors import NoMemoryError, SRHubError
from sr_hub.models import RRDBNet, load_model
from sr_hub.publish import push_folder
from sr_hub.webapp import engine
from sr_hub.webapp.download import save_file
from sr_hub.webapp.engine import DEFAULT_MAX_PIXELS, Engine, StoppedError
from sr_hub.webapp.home import home_pair
from sr_hub.webapp.i18n import VisitorError
from sr_hub.webapp.work import Work

ROOT = Path(__file__).resolve().parents[2]


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
    monkeypatch.setenv("SR_HUB_MAX_PIXELS", "")
    assert Engine(models).max_pixels == DEFAULT_MAX_PIXELS


@pytest.mark.parametrize("setting", ["abc", "3e6", "0", "-1", "1.5"])
def test_a_limit_that_is_none_ends_the_app_with_one_line(setting, monkeypatch):
    monkeypatch.setenv("SR_HUB_MAX_PIXELS", setting)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "app.py"))
    line = f"error: SR_HUB_MAX_PIXELS='{setting}' is not a whole number of at least 1: give pixels"
    assert ended.value.code.startswith(line) and "\n" not in ended.value.code


def test_a_public_hub_model_runs_and_a_private_one_is_not_reached(hub, models, offer):
    network = load_model(models["srgan-x4"])
    network.push_to_hub("user/public-x4")
    network.push_to_hub("user/private-x4", private=True)
    image = texture(12, 8)
    picture = offer.enlarge("user/public-x4", image).picture
    assert picture.tobytes() == offer.enlarge("srgan-x4", image)[0].tobytes()
    assert picture.info["text"]["Model"] == "user/public-x4"
    with pytest.raises(SRHubError):
        offer.enlarge("user/private-x4", image)


def test_a_hub_model_that_is_too_large_is_not_downloaded(hub, models, offer, monkeypatch):
    load_model(models["srgan-x4"]).push_to_hub("user/large-x4")
    monkeypatch.setattr(engine, "HUB_MODEL_BYTES", 1000)
    with pytest.raises(VisitorError, match=r"user/large-x4 .* at most 0 MB") as refused:
        offer.upscaler("user/large-x4")
    assert refused.value.name == "hub_large"
    assert not hub.count("GET /cdn/")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("user/none-x4", "absent"),
        ("user/srgan-x4@v9", "revision"),
        ("user/no-files", "foreign"),
        ("user/another-library", "foreign"),
        ("user/srgan-x4", "unreachable"),
        ("user--me/srgan-x4", "no_id"),
    ],
)
def test_why_the_hub_gives_no_model_is_known(hub, models, offer, name, reason):
    load_model(models["srgan-x4"]).push_to_hub("user/srgan-x4")
    HfApi().create_repo("user/no-files")
    HfApi().create_repo("user/another-library")
    for file in ("config.json", "model.safetensors"):
        HfApi().upload_file(
            path_or_fileobj=b"{}", path_in_repo=file, repo_id="user/another-library"
        )
    if reason == "unreachable":
        hub.fail("500", times=99)
    with pytest.raises(VisitorError, match=name) as refused:
        offer.upscaler(name)
    assert refused.value.name == f"hub_{reason}"


def test_a_hub_model_runs_at_a_revision_and_its_file_is_named_without_it(hub, offer, tmp_path):
    hub_id, image = f"user/{'x' * 96}", texture(12, 8)
    first = RRDBNet(channels=8, blocks=1, growth=8).push_to_hub(hub_id)
    RRDBNet(channels=8, blocks=1, growth=8).push_to_hub(hub_id)
    made = {at: offer.enlarge(hub_id + at, image)[0] for at in ("", "@main", f"@{first.oid}")}
    assert made[""].tobytes() == made["@main"].tobytes() != made[f"@{first.oid}"].tobytes()
    assert made["@main"].info["text"]["Model"] == f"{hub_id}@main"
    named = f"{hub_id}@refs/pr/1"
    work = Work.begin(tmp_path, f"{'p' * 200}.png", image, named, [named])
    work.keep(named, made["@main"], scale=4)
    file = save_file(made["@main"], work)
    assert file.exists() and file.name.endswith(f"p_{'x' * 96}.png")
    long = made["@main"].resize((10_000, 10))
    assert save_file(long, work).name.endswith("x_10000x10.png")


def test_converted_weights_run_in_the_app_as_they_did_elsewhere(hub, offer, tmp_path):
    network = RRDBNet(channels=16, blocks=1, growth=8).eval()
    torch.save({"params_ema": network.state_dict()}, tmp_path / "esrgan.pth")
    convert(tmp_path / "esrgan.pth", tmp_path / "out", license="apache-2.0")
    push_folder(tmp_path / "out", "user/esrgan-x4")
    picture, *_ = offer.enlarge("user/esrgan-x4", texture(12, 8, "RGB"))
    expected = sr_hub.Upscaler(network)(texture(12, 8, "RGB"))
    assert picture.size == (48, 32)
    assert picture.tobytes() == expected.tobytes()


def test_the_bar_moves_within_a_tile_and_never_back(offer):
    parts = []
    offer.enlarge("srgan-x4", texture(24, 16, "RGB"), parts.append)
    assert len(parts) > 5 and parts == sorted(parts) and parts[-1] == 1


@pytest.mark.parametrize("page", [run_upscale, run_compare])
def test_the_bar_says_which_of_several_methods_runs(page, offer, photo):
    said = []
    page(offer, photo, progress=lambda _, desc: said.append(desc))
    total = 3 if page is run_upscale else 2
    for name, place in (("bicubic", 1), ("rrim-x4", 2)):
        assert f"{place} / {total} · {name}" in said


def test_stop_ends_the_run_of_that_visitor_only_in_the_midst_of_a_tile(offer):
    with offer.running("visitor", "a.png"), offer.running("another", "b.png"):
        offer.stop("visitor")
        offer.check("another")
        with pytest.raises(StoppedError):
            offer.enlarge("rrim-x4", texture(8, 8), lambda part: offer.check("visitor"))
    offer.stop("visitor")
    with offer.running("visitor", "a.png"):
        offer.check("visitor")


def test_another_picture_ends_the_run_on_the_one_before(offer):
    with offer.running("visitor", "a.png"):
        offer.stop_others("visitor", "a.png")
        offer.check("visitor")
        offer.stop_others("visitor", "b.png")
        with pytest.raises(StoppedError):
            offer.check("visitor")


def test_one_network_runs_at_a_time_and_who_waits_can_stop(offer, monkeypatch):
    begun, go_on, waits = threading.Event(), threading.Event(), threading.Event()

    def hold(*_):
        begun.set()
        assert go_on.wait(60)
        return texture(8, 8), "cpu, fp32"

    def report(part):
        waits.set()
        offer.check("visitor")

    monkeypatch.setattr(engine, "WAIT", 0.01)
    monkeypatch.setattr(offer, "_run", hold)
    with ThreadPoolExecutor(2) as pool, offer.running("visitor", "a.png"):
        first = pool.submit(offer.enlarge, "rrim-x4", texture(8, 8))
        assert begun.wait(60)
        begun.clear()
        second = pool.submit(offer.enlarge, "srgan-x4", texture(8, 8), report)
        assert waits.wait(60) and not begun.is_set()
        offer.stop("visitor")
        with pytest.raises(StoppedError):
            second.result(60)
        go_on.set()
        assert first.result(60)[0].size == (8, 8)


def test_without_checkpoints_the_app_still_offers_bicubic():
    assert Engine({}).names == ["bicubic"] and Engine({}).default == "bicubic"


@pytest.fixture
def zero_gpu(monkeypatch):
    """A machine whose GPU only the processes of the package `spaces` may touch."""
    within = []

    def worker(function):
        def run(*arguments):
            within.append(arguments[0])
            try:
                return function(*arguments)
            except Exception as error:  # its type is lost between the processes
                raise RuntimeError(f"ZeroGPU worker error: {type(error).__name__}") from None
            finally:
                within.append("")

        return run

    def pick(device):
        assert device == "cpu" or within[-1:] not in ([], [""]), "touches the GPU"
        return torch.device("cpu") if device == "cpu" else torch.device("cpu", 0)

    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=worker))
    monkeypatch.setattr("sr_hub.upscaler.pick_device", pick)
    return within


def test_on_a_zero_gpu_machine_only_runs_touch_the_gpu(models, zero_gpu):
    offer = Engine(models)
    home_pair(offer)
    assert zero_gpu == []
    for name in ("rrim-x4", "rrim-x4 at fidelity 0.5", "bicubic"):
        made = offer.enlarge(name, texture(8, 8), lambda *_: pytest.fail("not picklable"))
        assert made.picture.size == (32, 32) and made.device.startswith("cpu:0, ")
        assert offer.upscaler(name).device == torch.device("cpu")
    assert zero_gpu[::2] == ["rrim-x4", "rrim-x4 at fidelity 0.5", "bicubic"]


def test_too_little_memory_is_told_on_a_zero_gpu_machine_too(models, zero_gpu, monkeypatch):
    def full(*_, **__):
        raise NoMemoryError("full")

    monkeypatch.setattr(engine.Upscaler, "__call__", full)
    with pytest.raises(VisitorError, match="not enough memory"):
        Engine(models).enlarge("rrim-x4", texture(8, 8))


def test_a_work_keeps_what_was_given(tmp_path):
    image = texture(10, 6)
    kept = Work.begin(tmp_path, "a/b/holiday.final.JPG", image, "bicubic", ["bicubic"])
    kept.keep("bicubic", image)
    long = Work.begin(tmp_path, "照" * 200 + ".jpg", image, "bicubic", ["bicubic"])
    assert long.save(image, f"{long.stem}_rrim-gan-x4.png").exists()
    assert kept.stem == "holiday.final" and np.array_equal(
        kept.pixels("bicubic"), np.asarray(image)
    )
