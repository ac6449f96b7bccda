"""Every fault of a network or a Hub: retried to success, or one clear line; nothing is poisoned."""

import re
import time
from pathlib import Path
from threading import Event

import pytest
from hub_parts import same

from sr_hub.errors import SRHubError
from sr_hub.folder import CONFIG_FILE, WEIGHTS_FILE
from sr_hub.models import ESPCN, load_model
from sr_hub.publish import push_folder

FAULTS = ("500", "429", "drop", "refuse", "size", "corrupt")
FOREVER = 1000

PULL_STEPS = {
    "asking": ("GET", "/api/models/user/espcn-x4/revision/main"),
    "config's head": ("HEAD", "resolve/.*config.json"),
    "config": ("GET", "resolve/.*config.json"),
    "weights' head": ("HEAD", "resolve/.*model.safetensors"),
    "weights": ("GET", "/cdn/"),
}
PULLS = [
    (fault, step)
    for fault in FAULTS
    for step in PULL_STEPS
    # A head has no body to cut or change.
    if not (step.endswith("head") and fault in ("drop", "size", "corrupt"))
]

PUSH_STEPS = {
    "create": ("POST", "/api/repos/create"),
    "preupload": ("POST", "/preupload/"),
    "LFS batch": ("POST", "/objects/batch"),
    "LFS upload": ("PUT", "/lfs/"),
    "LFS verify": ("POST", "/lfs/verify"),
    "commit": ("POST", "/commit/"),
}


def small():
    return ESPCN().eval()


def one_line(error):
    text = str(error)
    return "\n" not in text and "Traceback" not in text and len(text) < 400


@pytest.mark.parametrize(("fault", "step"), PULLS)
def test_a_pull_that_fails_once_succeeds(hub, fault, step):
    model = small()
    model.push_to_hub("user/espcn-x4")
    method, path = PULL_STEPS[step]
    hub.fail(fault, path, method)
    assert same(load_model("user/espcn-x4"), model)
    assert not any(planted.times for planted in hub.faults), "the fault was not met"


@pytest.mark.parametrize(("fault", "step"), PULLS)
def test_a_pull_that_always_fails_is_one_line_and_the_next_good_one_loads(hub, fault, step):
    model = small()
    model.push_to_hub("user/espcn-x4")
    method, path = PULL_STEPS[step]
    hub.fail(fault, path, method, times=FOREVER)
    with pytest.raises(SRHubError, match="user/espcn-x4") as caught:
        load_model("user/espcn-x4")
    assert one_line(caught.value)
    assert sum(hub.waits) < 60
    hub.faults.clear()
    assert same(load_model("user/espcn-x4"), model)


@pytest.mark.parametrize("fault", ["500", "429", "drop", "refuse"])
def test_a_hub_that_is_down_leaves_what_the_cache_holds(hub, fault, caplog):
    model = small()
    model.push_to_hub("user/espcn-x4")
    load_model("user/espcn-x4")
    hub.fail(fault, times=FOREVER)
    assert same(load_model("user/espcn-x4"), model)
    assert "using the copy in the cache" in caplog.text


def test_a_hub_that_does_not_answer_is_given_up_soon(hub, monkeypatch):
    model = small()
    model.push_to_hub("user/espcn-x4")
    load_model("user/espcn-x4")
    monkeypatch.setattr("sr_hub.hub.ASK_SECONDS", 0.1)
    handler = hub._http.RequestHandlerClass
    answered = handler.info
    monkeypatch.setattr(handler, "info", lambda *_: (Event().wait(0.5), answered(*_)))
    start = time.monotonic()
    assert same(load_model("user/espcn-x4"), model)
    assert time.monotonic() - start < 3


def test_a_slow_hub_is_waited_for_where_there_is_no_copy(hub, monkeypatch):
    model = small()
    model.push_to_hub("user/espcn-x4")
    monkeypatch.setattr("sr_hub.hub.ASK_SECONDS", 0.1)
    handler = hub._http.RequestHandlerClass
    answered = handler.info
    monkeypatch.setattr(handler, "info", lambda *_: (Event().wait(0.5), answered(*_)))
    assert same(load_model("user/espcn-x4"), model)


def test_a_copy_that_was_damaged_on_the_disk_is_fetched_again(hub, monkeypatch):
    model = small()
    model.push_to_hub("user/espcn-x4")
    load_model("user/espcn-x4")
    (weights,) = Path(hub.cache).rglob(f"snapshots/*/{WEIGHTS_FILE}")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 0xFF
    weights.resolve().write_bytes(content)
    assert same(load_model("user/espcn-x4"), model)
    weights.resolve().write_bytes(content)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SRHubError, match="is not in the cache"):
        load_model("user/espcn-x4")


@pytest.mark.parametrize("step", PUSH_STEPS)
@pytest.mark.parametrize("fault", ["500", "429", "refuse"])
def test_a_push_that_fails_once_is_one_commit(hub, tmp_path, fault, step):
    model = small()
    model.save_pretrained(tmp_path / "folder")
    method, path = PUSH_STEPS[step]
    hub.fail(fault, path, method)
    push_folder(tmp_path / "folder", "user/espcn-x4")
    assert not any(planted.times for planted in hub.faults), "the fault was not met"
    assert len(hub.repo("user/espcn-x4").commits) == 2
    assert same(load_model("user/espcn-x4"), model)


@pytest.mark.parametrize("step", PUSH_STEPS)
@pytest.mark.parametrize("fault", ["500", "429", "refuse"])
def test_a_push_that_always_fails_changes_nothing(hub, tmp_path, fault, step):
    folder = tmp_path / "folder"
    small().save_pretrained(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    method, path = PUSH_STEPS[step]
    hub.fail(fault, path, method, times=FOREVER)
    with pytest.raises(SRHubError, match="user/espcn-x4 was not uploaded") as caught:
        push_folder(folder, "user/espcn-x4")
    assert one_line(caught.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    for repo in hub.repos.values():
        assert len(repo.commits) == 1
    hub.faults.clear()
    push_folder(folder, "user/espcn-x4")
    assert load_model("user/espcn-x4")


def test_a_commit_whose_answer_is_lost_is_not_made_twice(hub):
    model = small()
    hub.fail("drop", "/commit/main", "POST")
    model.push_to_hub("user/espcn-x4")
    assert len(hub.repo("user/espcn-x4").commits) == 2
    assert same(load_model("user/espcn-x4"), model)


def test_a_pull_request_whose_answer_is_lost_is_not_opened_twice(hub):
    small().push_to_hub("user/espcn-x4")
    hub.fail("drop", "/commit/main", "POST")
    with pytest.raises(SRHubError, match="user/espcn-x4 was not uploaded"):
        small().push_to_hub("user/espcn-x4", create_pr=True)
    assert len([name for name in hub.repo("user/espcn-x4").branches if "pr/" in name]) == 1


def test_a_cut_download_goes_on_where_it_stopped(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 4096)
    model = small()
    model.push_to_hub("user/espcn-x4")
    hub.fail("drop", "/cdn/", "GET")
    assert same(load_model("user/espcn-x4"), model)
    assert hub.ranges and re.fullmatch(r"bytes=[1-9]\d*-", hub.ranges[-1])
    assert hub.count(f"GET .*{CONFIG_FILE}") == 1
