"""What a push puts on the Hub, over real HTTP, with the real client, against `hub_server.py`."""

import json
from pathlib import Path

import pytest
import torch
from hub_parts import same, small
from huggingface_hub import HfApi, ModelCard
from typer.testing import CliRunner

from sr_hub.bundled import bundled_models
from sr_hub.cli import app
from sr_hub.errors import SRHubError
from sr_hub.folder import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE
from sr_hub.models import load_model
from sr_hub.publish import push_folder, write_card


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
    for push in (False, True):
        with pytest.raises(SRHubError, match="path is no option of save_pretrained: leave it"):
            model.save_pretrained(tmp_path / "other", path="x", push_to_hub=push)
    assert not (tmp_path / "other").exists()


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


def test_a_bundled_model_goes_up_with_what_is_known_of_it(hub):
    load_model("rrim-x4").push_to_hub("user/mine")
    push_folder(bundled_models()["rrim-x4"], "user/theirs")
    mine, theirs = (hub.repo(f"user/{name}") for name in ("mine", "theirs"))
    files, others = (repo.commits[repo.branches["main"]] for repo in (mine, theirs))
    assert "training.json" in files
    assert {k: v for k, v in files.items() if k != CARD_FILE} == {
        k: v for k, v in others.items() if k != CARD_FILE
    }
    card, other = (each[CARD_FILE].rpartition(b"<!--")[0] for each in (files, others))
    assert card.replace(b"mine", b"theirs") == other


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


def test_a_training_run_is_published_by_its_own_command(hub, tmp_path):
    run = tmp_path / "own"
    small().save_pretrained(run / "best")
    small().save_pretrained(run / "step-0000100")
    (run / "run.json").write_text("{}")
    for folder, named in (("", ""), ("best", ""), ("step-0000100", " --which step-0000100")):
        command = f"training run: python -m training.push {run}{named} me/x"
        result = CliRunner().invoke(app, ["push", str(run / folder), "me/x"])
        assert isinstance(result.exception, SRHubError)
        assert f"{command} publishes it with its card" in str(result.exception)
        with pytest.raises(SRHubError, match=f"{command} --dry-run writes it with its card"):
            write_card(run / folder, repo_id="me/x")
    assert not hub.repos
    push_folder(run / "best", "user/kept", keep_card=True)
    (run / "best" / "training.json").write_text('{"about": "Mine."}')
    push_folder(run / "best", "user/own")
    assert b"Mine." in pushed(hub, "user/own")[CARD_FILE]


def test_a_folder_beside_the_run_json_of_something_else_goes_up(hub, tmp_path):
    small().save_pretrained(tmp_path / "mine")
    (tmp_path / "run.json").write_text("{}")
    push_folder(tmp_path / "mine", "user/mine")
    assert hub.repos


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


def edit_on_the_hub(name, remark, branch=None):
    edited = ModelCard.load(name)
    edited.text += f"\n{remark}\n"
    HfApi().upload_file(
        path_or_fileobj=str(edited).encode(),
        path_in_repo=CARD_FILE,
        repo_id=name,
        revision=branch,
    )


def test_a_push_keeps_a_card_that_was_edited_on_the_hub_unless_told_otherwise(
    hub, tmp_path, caplog
):
    small().save_pretrained(tmp_path / "folder")
    push_folder(tmp_path / "folder", "user/rrim-x4")
    small().push_to_hub("rrim-x4", facts={"license": "mit"})
    assert b"license: mit" in pushed(hub, "user/rrim-x4")[CARD_FILE], "renewed: nobody edited it"
    edit_on_the_hub("user/rrim-x4", "A remark by hand.")

    for name in ("user/rrim-x4", "rrim-x4"):
        small().push_to_hub(name, keep_card=True)
        assert not caplog.text
    small().push_to_hub("user/rrim-x4", delete_patterns="*")
    assert "user/rrim-x4 keeps its README.md, which was edited" in caplog.text
    push_folder(tmp_path / "folder", "user/rrim-x4")
    small().push_to_hub("user/rrim-x4", branch="trial")
    for branch in ("main", "trial"):
        assert b"A remark by hand." in pushed(hub, "user/rrim-x4", branch)[CARD_FILE]
    small().push_to_hub("user/rrim-x4", keep_card=False)
    assert b"A remark by hand." not in pushed(hub, "user/rrim-x4")[CARD_FILE]


def test_a_repository_made_on_the_website_gets_its_card_and_keeps_the_licence(
    hub, tmp_path, caplog
):
    chosen = b"---\nlicense: other\nlicense_name: ours\nlicense_link: LICENSE\n---\n"
    folder = tmp_path / "folder"
    small().save_pretrained(folder)
    pushes = {
        "model": lambda **facts: small().push_to_hub("user/model", **facts),
        "folder": lambda: push_folder(folder, "user/folder"),
        "new": lambda: push_folder(folder, "user/new", keep_card=False),
    }
    for name, push in pushes.items():
        HfApi().create_repo(f"user/{name}")
        HfApi().upload_file(path_or_fileobj=chosen, path_in_repo=CARD_FILE, repo_id=f"user/{name}")
        for _ in range(2):
            push()
            card = ModelCard(pushed(hub, f"user/{name}")[CARD_FILE].decode())
            assert card.data.library_name == "sr_hub" and "| these weights | [other]" in card.text
            assert (card.data.license, card.data.license_name) == ("other", "ours")
    assert "edited" not in caplog.text
    pushes["model"](facts={"license": "mit"})
    card = ModelCard(pushed(hub, "user/model")[CARD_FILE].decode())
    assert card.data.license == "mit" and card.data.license_name is None


def test_a_card_that_was_edited_in_the_folder_goes_up_as_it_is(hub, tmp_path, caplog):
    folder, model = tmp_path / "folder", small()
    model.save_pretrained(folder)
    for text in ("First.", "Second."):
        (folder / CARD_FILE).write_text(text)
        push_folder(folder, "user/one")
        assert pushed(hub, "user/one")[CARD_FILE] == text.encode()
        model.save_pretrained(folder, push_to_hub=True, repo_id="user/two")
        assert pushed(hub, "user/two")[CARD_FILE] == text.encode()
    assert "goes up as it was edited, in place of the one that user/one has" in caplog.text
    line = ["push", str(folder), "user/one", "--new-card"]
    assert CliRunner().invoke(app, line).exit_code == 0
    assert b'Upscaler("user/one")' in pushed(hub, "user/one")[CARD_FILE]


def test_a_card_is_not_renewed_because_the_hub_did_not_answer(hub):
    small().push_to_hub("user/rrim-x4")
    hub.fail("500", f"resolve/.*{CARD_FILE}", times=1000)
    for keep in (None, True):
        with pytest.raises(SRHubError, match="did not say if user/rrim-x4 has a card"):
            small().push_to_hub("user/rrim-x4", keep_card=keep)
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
