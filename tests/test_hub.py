"""Push and pull over real HTTP, with the real client, against the Hub of `hub_server.py`."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from huggingface_hub import HfApi, ModelCard, snapshot_download
from typer.testing import CliRunner

import sr_hub.hub
from sr_hub.bundled import bundled_models
from sr_hub.cli import app
from sr_hub.contestants import load_contestants
from sr_hub.errors import SRHubError
from sr_hub.folder import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE
from sr_hub.models import ESPCN, RRIM, load_model
from sr_hub.publish import push_folder
from sr_hub.upscaler import Upscaler

IMAGE = torch.rand(1, 3, 9, 7, generator=torch.Generator().manual_seed(1))


def small(**arguments):
    branches = {"shallow": "3:4,5:4", "middle": "3:4,3+3:4", "deep": "3:16"}
    return RRIM(channels=8, groups=1, bicubic_skip=False, **branches, **arguments).eval()


def same(model, other):
    with torch.inference_mode():
        return torch.equal(model(IMAGE), other(IMAGE))


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


def test_saving_pushes_on_request(hub, tmp_path):
    model = small()
    commit = model.save_pretrained(
        tmp_path / "own", push_to_hub=True, repo_id="user/own", commit_message="First"
    )
    assert same(load_model(f"user/own@{commit.oid}"), model)
    assert same(load_model(tmp_path / "own"), model)
    assert model.save_pretrained(tmp_path / "own") is None
    with pytest.raises(SRHubError, match="private is an option of push_to_hub=True"):
        model.save_pretrained(tmp_path / "own", private=True)


def pushed(hub, name, branch="main"):
    """The files of a repository."""
    repo = hub.repo(name)
    return repo.commits[repo.branches[branch]]


def test_what_saving_wrote_is_what_it_pushes(hub, tmp_path):
    folder, model = tmp_path / "moths", small()
    folder.mkdir()
    (folder / "training.json").write_text('{"about": "Tuned on moths.", "license": "mit"}')
    model.save_pretrained(folder, repo_id="user/moths", push_to_hub=True)
    files = pushed(hub, "user/moths")
    for path in folder.iterdir():
        assert files[path.name] == path.read_bytes()
    assert b"Tuned on moths." in files[CARD_FILE] and b"license: mit" in files[CARD_FILE]

    (folder / CARD_FILE).write_text("By hand.")
    model.save_pretrained(folder, repo_id="user/other", keep_card=True, push_to_hub=True)
    assert (folder / CARD_FILE).read_text() == "By hand."
    assert pushed(hub, "user/other")[CARD_FILE] == b"By hand."


def test_facts_that_are_given_go_up(hub):
    model = load_model("espcn-x4")
    model.push_to_hub("user/espcn", facts={"license": "mit"})
    assert b"license: mit" in pushed(hub, "user/espcn")[CARD_FILE]
    assert json.loads(pushed(hub, "user/espcn")["training.json"])["recipe"] == "espcn"


def test_a_push_without_an_owner_goes_to_the_tokens_and_its_card_says_so(
    hub, tmp_path, monkeypatch
):
    model = small()
    model.push_to_hub("first")
    model.save_pretrained(tmp_path / "second", push_to_hub=True)
    push_folder(tmp_path / "second", "third")
    (tmp_path / "fourth").mkdir()
    monkeypatch.chdir(tmp_path / "fourth")
    model.save_pretrained(".", push_to_hub=True)
    for name in ("first", "second", "third", "fourth"):
        card = pushed(hub, f"user/{name}")[CARD_FILE].decode()
        assert f'Upscaler("user/{name}")' in card
    assert 'Upscaler("user/fourth")' in Path(CARD_FILE).read_text()


def test_a_push_without_an_owner_and_a_token_asks_for_one(hub, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(SRHubError, match="name the owner, like user/mine"):
        small().push_to_hub("mine")
    assert not hub.repos


def test_every_bundled_checkpoint_goes_up_and_comes_back(hub):
    for name, folder in bundled_models().items():
        push_folder(folder, f"user/{name}")
        assert same(load_model(f"user/{name}"), load_model(name))
    head = hub.repo(f"user/{name}").branches["main"]
    assert push_folder(folder, f"user/{name}").oid == head


def test_a_bundled_model_goes_up_with_what_is_known_of_it(hub):
    load_model("rrim-x4").push_to_hub("user/mine")
    push_folder(bundled_models()["rrim-x4"], "user/theirs")
    mine, theirs = (hub.repo(f"user/{name}") for name in ("mine", "theirs"))
    files, others = (repo.commits[repo.branches["main"]] for repo in (mine, theirs))
    assert "training.json" in files
    assert {k: v for k, v in files.items() if k != CARD_FILE} == {
        k: v for k, v in others.items() if k != CARD_FILE
    }
    assert files[CARD_FILE].replace(b"mine", b"theirs") == others[CARD_FILE]


def test_a_bundled_model_that_is_saved_first_goes_up_the_same(hub, tmp_path):
    model = load_model("espcn-x4")
    model.push_to_hub("user/mine")
    model.save_pretrained(tmp_path / "espcn")
    push_folder(tmp_path / "espcn", "user/mine")
    assert len(hub.repo("user/mine").commits) == 2, "nothing changed"


def test_a_push_of_other_weights_leaves_nothing_that_was_said_of_the_old_ones(hub):
    model = load_model("espcn-x4")
    model.push_to_hub("user/espcn")
    assert {"training.json", "metrics.json", "comparison.png"} <= pushed(hub, "user/espcn").keys()
    for name in ("notes.txt", "logs/training.json"):
        HfApi().upload_file(path_or_fileobj=b"mine", path_in_repo=name, repo_id="user/espcn")
    with torch.no_grad():
        next(model.parameters()).add_(0.01)
    model.push_to_hub("user/espcn", keep_card=True)
    assert "comparison.png" in pushed(hub, "user/espcn"), "the card that stays shows it"
    model.push_to_hub("user/espcn")
    own = {".gitattributes", "notes.txt", "logs/training.json"}
    assert pushed(hub, "user/espcn").keys() == {CONFIG_FILE, WEIGHTS_FILE, CARD_FILE} | own


def test_the_push_command_takes_a_folder_and_prints_its_commit(hub, tmp_path):
    model = small()
    model.save_pretrained(tmp_path / "mine")
    line = ["push", str(tmp_path / "mine"), "user/mine", "--private", "--branch", "trial"]
    result = CliRunner().invoke(app, line)
    head = hub.repo("user/mine").branches["trial"]
    assert result.exit_code == 0 and result.stdout.strip().endswith(f"user/mine/commit/{head}")
    assert hub.repo("user/mine").private
    assert same(load_model("user/mine", revision="trial", token="hf_user"), model)


def test_a_push_is_one_commit_and_without_a_change_none(hub):
    model = small()
    commit = model.push_to_hub("user/rrim-x4")
    assert len(hub.repo("user/rrim-x4").commits) == 2  # the repository's own first one, and ours
    again = model.push_to_hub("user/rrim-x4")
    assert again.oid == commit.oid
    assert len(hub.repo("user/rrim-x4").commits) == 2


def test_a_branch_is_made_and_leaves_main_alone(hub):
    main, trial = small(), small()
    main.push_to_hub("user/rrim-x4")
    trial.push_to_hub("user/rrim-x4", branch="trial")
    assert same(load_model("user/rrim-x4"), main)
    assert same(load_model("user/rrim-x4", revision="trial"), trial)


def test_a_pull_request_changes_no_branch(hub):
    main = small()
    main.push_to_hub("user/rrim-x4")
    assert small().push_to_hub("user/rrim-x4", create_pr=True).pr_url
    assert same(load_model("user/rrim-x4"), main)


def test_a_private_repository_opens_to_its_token_alone(hub, tmp_path):
    model = small()
    model.push_to_hub("user/secret-x4", private=True)
    assert hub.repo("user/secret-x4").private
    assert same(load_model("user/secret-x4", token="hf_user"), model)
    for token in (False, "hf_of_nobody"):
        with pytest.raises(SRHubError, match=r"user/secret-x4 is not on the Hub, or is private"):
            load_model("user/secret-x4", token=token, cache_dir=tmp_path / "other")


def test_a_private_push_does_not_go_to_a_public_repository(hub):
    small().push_to_hub("user/rrim-x4")
    with pytest.raises(SRHubError, match="is public"):
        small().push_to_hub("user/rrim-x4", private=True)
    assert len(hub.repo("user/rrim-x4").commits) == 2


def test_without_the_right_to_write_nothing_is_pushed(hub):
    for token, repo_id in ((False, "user/rrim-x4"), (None, "somebody/rrim-x4")):
        with pytest.raises(SRHubError, match=f"{repo_id} was not uploaded: the token is missing"):
            small().push_to_hub(repo_id, token=token)
    assert not hub.repos


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


def test_a_push_renews_the_card_or_keeps_it_on_request(hub, tmp_path):
    small().save_pretrained(tmp_path / "folder")
    push_folder(tmp_path / "folder", "user/rrim-x4")
    api = HfApi()
    edited = ModelCard.load("user/rrim-x4")
    edited.text += "\nA remark by hand.\n"
    api.upload_file(
        path_or_fileobj=str(edited).encode(), path_in_repo=CARD_FILE, repo_id="user/rrim-x4"
    )

    for name in ("user/rrim-x4", "rrim-x4"):
        small().push_to_hub(name, keep_card=True)
        assert "A remark by hand." in ModelCard.load("user/rrim-x4").text
    push_folder(tmp_path / "folder", "user/rrim-x4", keep_card=True)
    assert "A remark by hand." in ModelCard.load("user/rrim-x4").text
    push_folder(tmp_path / "folder", "user/rrim-x4")
    assert "A remark by hand." not in ModelCard.load("user/rrim-x4").text


def test_a_card_is_not_renewed_because_the_hub_did_not_answer(hub):
    small().push_to_hub("user/rrim-x4")
    hub.fail("500", f"resolve/.*{CARD_FILE}", times=1000)
    with pytest.raises(SRHubError, match="did not say if user/rrim-x4 has a card"):
        small().push_to_hub("user/rrim-x4", keep_card=True)
    assert len(hub.repo("user/rrim-x4").commits) == 2


def test_a_folder_goes_up_without_what_does_not_belong_and_stays_as_it_is(hub, tmp_path):
    folder = tmp_path / "folder"
    small().save_pretrained(folder)
    for name in ("comparison.png", "training.json", "optimizer.pt", "notes.txt"):
        (folder / name).write_text("{}")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    push_folder(folder, "user/rrim-x4")
    pushed = hub.repo("user/rrim-x4").commits[hub.repo("user/rrim-x4").branches["main"]]
    assert {"comparison.png", "training.json"} <= pushed.keys()
    assert not {"optimizer.pt", "notes.txt"} & pushed.keys()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_broken_folder_is_not_pushed(hub, tmp_path):
    small().save_pretrained(tmp_path / "folder")
    (tmp_path / "folder" / WEIGHTS_FILE).write_bytes(b"broken")
    with pytest.raises(SRHubError, match="damaged"):
        push_folder(tmp_path / "folder", "user/rrim-x4")
    assert not hub.repos


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
