"""Models from the Hub, over real HTTP, with the real client, against `hub_server.py`."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hub_parts import same, small
from huggingface_hub import HfApi, snapshot_download

import sr_hub.hub
from sr_hub.bundled import bundled_models
from sr_hub.contestants import load_contestants
from sr_hub.errors import SRHubError
from sr_hub.folder import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE
from sr_hub.models import ESPCN, RRIM, load_model
from sr_hub.publish import push_folder
from sr_hub.upscaler import Upscaler


def test_what_is_pushed_comes_back_bit_for_bit_by_name_commit_and_tag(hub):
    first, second = small(), small()
    commit = first.push_to_hub("user/rrim-x4")
    HfApi().create_tag("user/rrim-x4", tag="v1")
    second.push_to_hub("user/rrim-x4")

    assert same(load_model("user/rrim-x4"), second)
    assert same(RRIM.from_pretrained("user/rrim-x4"), second)
    assert same(RRIM.from_pretrained("user/rrim-x4", revision="v1"), first)
    assert same(load_model("user/rrim-x4", revision=commit.oid), first)
    assert same(load_model("user/rrim-x4@v1"), first)
    assert same(RRIM.from_pretrained("user/rrim-x4@v1"), first)
    (row,) = load_contestants(["user/rrim-x4@v1"], 4)
    assert (row.name, row.facts["revision"]) == ("user/rrim-x4@v1", commit.oid)
    files = hub.repo("user/rrim-x4").commits[commit.oid]
    assert {CONFIG_FILE, WEIGHTS_FILE, CARD_FILE} <= files.keys()


def test_a_snapshot_in_the_cache_goes_by_its_repository(hub):
    small().push_to_hub("user/rrim-x4")
    folder = snapshot_download("user/rrim-x4")
    assert Upscaler(folder).name == Upscaler(Path(folder)).name == "user/rrim-x4"
    assert load_contestants([folder], 4)[0].name == "user/rrim-x4"


def test_every_bundled_checkpoint_goes_up_and_comes_back(hub):
    for name, folder in bundled_models().items():
        push_folder(folder, f"user/{name}")
        assert same(load_model(f"user/{name}"), load_model(name))
    head = hub.repo(f"user/{name}").branches["main"]
    assert push_folder(folder, f"user/{name}").oid == head


def test_a_private_repository_opens_to_its_token_alone(hub, tmp_path):
    model = small()
    model.push_to_hub("user/secret-x4", private=True)
    assert hub.repo("user/secret-x4").private
    assert same(load_model("user/secret-x4", token="hf_user"), model)
    for token in (False, "hf_of_nobody"):
        with pytest.raises(SRHubError, match=r"user/secret-x4 is not on the Hub, or is private"):
            load_model("user/secret-x4", token=token, cache_dir=tmp_path / "other")


def test_config_and_weights_are_of_one_commit_though_the_branch_moves(hub, monkeypatch):
    before = small(scale=4)
    before.push_to_hub("user/rrim")
    ask = sr_hub.hub._ask

    def ask_and_then_somebody_pushes(source):
        info = ask(source)
        small(scale=2).push_to_hub("user/rrim")
        return info

    monkeypatch.setattr(sr_hub.hub, "_ask", ask_and_then_somebody_pushes)
    assert same(load_model("user/rrim"), before)


def test_the_class_is_found_by_the_architecture_and_another_is_refused(hub):
    ESPCN().push_to_hub("user/espcn-x4")
    assert isinstance(load_model("user/espcn-x4"), ESPCN)
    with pytest.raises(SRHubError, match=r"^user/espcn-x4 holds the network ESPCN, not RRIM"):
        RRIM.from_pretrained("user/espcn-x4")


def test_the_arguments_of_the_mixin_mean_what_they_mean_there(hub):
    small().push_to_hub("user/rrim-x4")
    network = RRIM.from_pretrained("user/rrim-x4", map_location="meta", strict=True)
    assert all(parameter.is_meta for parameter in network.parameters())
    for options, message in (
        ({"strict": False}, "strict=False: weights that do not fit are never loaded"),
        ({"map_location": "gpu"}, "no device 'gpu' here for map_location"),
    ):
        with pytest.raises(SRHubError, match=message):
            RRIM.from_pretrained("user/rrim-x4", **options)


def test_names_that_lead_nowhere_say_so(hub):
    small().push_to_hub("user/rrim-x4")
    for name, revision, message in (
        ("user/nothing-x4", None, "user/nothing-x4 is not on the Hub"),
        ("user/rrim-x4", "v9", "user/rrim-x4 has no branch, tag or commit 'v9'"),
        ("user/rrim-x4", "0" * 40, "has no branch, tag or commit '0000"),
        ("user/rrim-x4@v9", None, "user/rrim-x4 has no branch, tag or commit 'v9'"),
        ("user/rrim-x4@v9", "v8", "user/rrim-x4@v9: name a revision, and only one"),
        ("user/rrim-x4@", None, "user/rrim-x4@: name a revision"),
        ("user/../secret", None, "not a Hub id"),
        ("./missing", None, "neither a folder nor a Hub id"),
        ("rrim-x5", None, "no model 'rrim-x5': not bundled"),
        ("a" * 300, None, "no model 'a{300}': not bundled"),
    ):
        with pytest.raises(SRHubError, match=message) as caught:
            load_model(name, revision=revision)
        assert "\n" not in str(caught.value)
    assert not hub.waits


def test_an_error_about_a_repository_calls_it_by_its_name(hub):
    small().push_to_hub("user/rrim-x4")
    for name, content, message in (
        (WEIGHTS_FILE, b"broken", "^user/rrim-x4/model.safetensors is damaged"),
        (CONFIG_FILE, b'{"architecture": "Mine"}', "^user/rrim-x4 holds the network Mine; this"),
    ):
        HfApi().upload_file(path_or_fileobj=content, path_in_repo=name, repo_id="user/rrim-x4")
        for revision in (None, hub.repo("user/rrim-x4").branches["main"]):  # the hub's, the cache's
            with pytest.raises(SRHubError, match=message) as caught:
                load_model("user/rrim-x4", revision=revision)
            assert "snapshots" not in str(caught.value)


def test_a_mistyped_folder_is_said_to_be_none(hub, monkeypatch):
    for offline in (False, True):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
        with pytest.raises(SRHubError, match=r"checkpoints/rrim .*; there is no such folder"):
            load_model("checkpoints/rrim")


def test_weights_of_another_library_are_not_even_downloaded(hub):
    api = HfApi()
    api.create_repo("user/language-model")
    for name, content in (
        (CONFIG_FILE, json.dumps({"architectures": ["BertModel"]}).encode()),
        (WEIGHTS_FILE, bytes(1000)),
    ):
        api.upload_file(path_or_fileobj=content, path_in_repo=name, repo_id="user/language-model")
    with pytest.raises(SRHubError, match=r'^user/language-model/config.json has no "arch'):
        load_model("user/language-model")
    assert hub.count(rf"resolve/.*/{WEIGHTS_FILE}") == 0


def test_a_repository_of_pickles_or_of_nothing_is_refused_by_name(hub):
    api = HfApi()
    api.create_repo("user/old")
    with pytest.raises(SRHubError, match=r"user/old has no config.json"):
        load_model("user/old")
    for name in (CONFIG_FILE, "pytorch_model.bin"):
        api.upload_file(path_or_fileobj=b"{}", path_in_repo=name, repo_id="user/old")
    with pytest.raises(SRHubError, match=r"no model.safetensors.*pytorch_model.bin can hold code"):
        load_model("user/old")
    assert hub.count("GET .*pytorch_model") == 0


def test_a_size_limit_holds_before_the_download(hub):
    small().push_to_hub("user/rrim-x4")
    hub.requests.clear()
    with pytest.raises(SRHubError, match="the limit here is 0 MB"):
        load_model("user/rrim-x4", max_bytes=1000)
    assert hub.count("resolve") == 0
    assert load_model("user/rrim-x4", max_bytes=1_000_000)


@pytest.mark.parametrize("how", ["a pinned commit", "local files only", "no Hub"])
def test_a_size_limit_holds_for_what_the_cache_has(hub, how):
    commit = small().push_to_hub("user/rrim-x4").oid
    load_model("user/rrim-x4")
    options = {"revision": commit} if how == "a pinned commit" else {}
    if how == "local files only":
        options = {"local_files_only": True}
    if how == "no Hub":
        hub.fail("500", times=1000)
    with pytest.raises(SRHubError, match="the limit here is 0 MB"):
        load_model("user/rrim-x4", max_bytes=1000, **options)


def test_a_pinned_commit_in_the_cache_needs_no_request(hub):
    commit = small().push_to_hub("user/rrim-x4").oid
    load_model("user/rrim-x4", revision=commit)
    hub.requests.clear()
    load_model("user/rrim-x4", revision=commit)
    assert hub.requests == []


@pytest.mark.parametrize("load", [load_model, RRIM.from_pretrained])
def test_what_the_cache_holds_is_downloaded_again_on_request(hub, load):
    commit = small().push_to_hub("user/rrim-x4").oid
    load("user/rrim-x4")
    before = hub.count(WEIGHTS_FILE)
    load("user/rrim-x4", revision=commit)
    assert hub.count(WEIGHTS_FILE) == before
    load("user/rrim-x4", revision=commit, force_download=True)
    assert hub.count(WEIGHTS_FILE) > before


def test_a_branch_in_the_cache_needs_one_request(hub):
    small().push_to_hub("user/rrim-x4")
    load_model("user/rrim-x4")
    hub.requests.clear()
    load_model("user/rrim-x4")
    assert len(hub.requests) == 1


def test_without_network_the_cache_serves_at_once_and_says_so(hub, monkeypatch, caplog):
    model = small()
    commit = model.push_to_hub("user/rrim-x4").oid
    load_model("user/rrim-x4")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    assert same(load_model("user/rrim-x4"), model)
    assert f"using the copy in the cache, {commit}" in caplog.text
    assert same(load_model("user/rrim-x4", local_files_only=True), model)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert same(load_model("user/rrim-x4"), model)
    assert not hub.waits


def test_without_network_and_cache_the_error_comes_at_once(hub, monkeypatch):
    start = time.monotonic()
    with pytest.raises(SRHubError, match="user/rrim-x4 is not in the cache, and downloads are off"):
        load_model("user/rrim-x4", local_files_only=True)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(SRHubError, match="the Hub did not give user/rrim-x4"):
        load_model("user/rrim-x4")
    assert not hub.waits
    assert time.monotonic() - start < 5


def test_offline_a_half_updated_cache_gives_the_last_whole_model(hub, monkeypatch):
    first = small()
    first.push_to_hub("user/rrim-x4")
    load_model("user/rrim-x4")
    small().push_to_hub("user/rrim-x4")
    hub.fail("500", "cdn|model.safetensors", times=100)
    load_model("user/rrim-x4")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert same(load_model("user/rrim-x4"), first)


def test_a_space_goes_up_and_comes_down_by_the_command_line_of_the_hub(hub, tmp_path):
    """What "Deploy your own Space" of the README asks of a Hub, with a folder of two files."""
    (tmp_path / "app" / "assets").mkdir(parents=True)
    (tmp_path / "app" / "app.py").write_text("print('served')\n")
    (tmp_path / "app" / "assets" / "picture.png").write_bytes(bytes(range(256)))
    environment = {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": "hf_user",
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "PATH": "/usr/bin:/bin",
    }

    def hf(*arguments):
        script = "from huggingface_hub.cli.hf import main; main()"
        command = [sys.executable, "-c", script, *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    hf("repos", "create", "user/sr_hub", "--type", "space", "--space-sdk", "gradio")
    hf("upload", "user/sr_hub", tmp_path / "app", ".", "--type", "space")
    hf("download", "user/sr_hub", "--type", "space", "--local-dir", tmp_path / "copy")
    for name in ("app.py", "assets/picture.png"):
        assert (tmp_path / "copy" / name).read_bytes() == (tmp_path / "app" / name).read_bytes()


def test_the_cache_is_where_cache_dir_says(hub, tmp_path):
    small().push_to_hub("user/rrim-x4")
    load_model("user/rrim-x4", cache_dir=tmp_path / "elsewhere")
    assert list(Path(tmp_path / "elsewhere").rglob(WEIGHTS_FILE))
    assert not (tmp_path / "hub-cache" / "models--user--rrim-x4").exists()
