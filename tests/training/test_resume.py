"""A run that is killed and resumed equals one that never stopped, bit for bit."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from training_runs import (
    SRRESNET,
    command,
    make_run,
    read_rows,
    without_seconds,
    write_pictures,
)

from sr_hub.errors import SRHubError
from training import loop
from training.checkpoint import read_state
from training.data import Pictures
from training.description import fingerprint
from training.journal import read_run
from training.loop import fit

KILLED_AT = 14

BOMB = f"""
import os, signal, sys
from training import loop, train

take_step = loop.take_step

def step_or_die(run, batch):
    if run.state.step == {KILLED_AT}:
        os.kill(os.getpid(), signal.SIGKILL)
    return take_step(run, batch)

loop.take_step = step_or_die
sys.exit(train.main(sys.argv[1:]))
"""

SETTINGS = ["--set", "save_every=12", "log_every=5", "validate_every=6", "sample_every=0"]


def equal(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [("tiny", ["optimizer=muon"]), ("tiny-gan", ["optimizer=adam", *SRRESNET])],
    ids=["muon", "gan-adam"],
)
def test_twelve_steps_then_kill_9_then_resume_equals_twenty(
    pictures: Path, tmp_path: Path, recipe: str, settings: list[str]
):
    # The GAN has batch norm in both players, whose statistics must come back too.
    more = ["--steps", "20", *SETTINGS, *settings]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    fit(make_run(pictures, whole, recipe, *more))

    line = [sys.executable, "-c", BOMB, *command(pictures, broken, recipe, *more)]
    killed = subprocess.run(line, cwd=Path(__file__).parents[2], capture_output=True, timeout=120)
    assert killed.returncode == -9, killed.stderr.decode()
    assert read_state(broken / "last.pt")["step"] == 12
    with (broken / "log.jsonl").open("a") as log:
        log.write('{"step": 14, "sec')  # as a power cut leaves it

    fit(make_run(pictures, broken, recipe, *more, "--resume"))
    ours, theirs = read_state(broken / "last.pt"), read_state(whole / "last.pt")
    for state in (ours, theirs):
        del state["seconds"]
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not equal(ours[name], theirs[name])] == []
    assert without_seconds(read_rows(broken)) == without_seconds(read_rows(whole))
    for name in ("model", "best"):
        weights = [(run / name / "model.safetensors").read_bytes() for run in (whole, broken)]
        assert weights[0] == weights[1]


def test_resume_without_a_run_starts_one(pictures: Path, tmp_path: Path):
    assert fit(make_run(pictures, tmp_path, "tiny", "--steps", "2", "--resume")).step == 2


def test_the_progress_bar_of_a_resumed_run_counts_from_where_it_begins(
    pictures: Path, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fit(make_run(pictures, tmp_path, "tiny", "--steps", "2"))
    run = make_run(pictures, tmp_path, "tiny", "--steps", "5", "--resume")
    fit(run)
    bar = run.journal.bar.format_dict
    assert (bar["initial"], bar["n"], bar["total"]) == (2, 5, 5)


def test_a_folder_with_a_run_is_not_overwritten(pictures: Path, tmp_path: Path):
    fit(make_run(pictures, tmp_path, "tiny", "--steps", "2"))
    with pytest.raises(SRHubError, match="holds a run: --resume goes on"):
        make_run(pictures, tmp_path, "tiny", "--steps", "2")
    with pytest.raises(SRHubError, match="holds a run of tiny, not tiny-gan"):
        make_run(pictures, tmp_path, "tiny-gan", "--resume")


def test_resume_keeps_the_settings_and_says_which_were_changed(
    pictures: Path, tmp_path: Path, caplog
):
    fit(make_run(pictures, tmp_path, "tiny", "--steps", "2", "--set", "clip=0.5"))
    run = make_run(pictures, tmp_path, "tiny", "--steps", "4", "--resume")
    assert run.config.clip == 0.5 and run.config.steps == 4 and run.state.step == 2
    assert "another steps: 4, before 2" in caplog.text and "clip" not in caplog.text


def test_a_resumed_run_has_the_decays_that_are_announced(pictures: Path, tmp_path: Path):
    fit(make_run(pictures, tmp_path, "tiny", "--steps", "2"))
    changed = ["--resume", "--set", "betas=(0.8,0.95)"]
    run = make_run(pictures, tmp_path, "tiny", "--steps", "4", *changed)
    fit(run)
    groups = run.state.generator_optimizer.param_groups
    assert run.config.betas == (0.8, 0.95) and all(g["betas"] == (0.8, 0.95) for g in groups)


@pytest.mark.parametrize("old", [False, True], ids=["", "of-an-older-version"])
def test_other_pictures_are_told_and_the_best_is_chosen_anew(
    pictures: Path, tmp_path: Path, caplog, old: bool
):
    out, others = tmp_path / "run", write_pictures(tmp_path / "others", count=3)
    fit(make_run(pictures, out, "tiny", "--steps", "2"))
    if old:
        facts = read_run(out)
        del facts["data"]["fingerprint"], facts["val"]["fingerprint"], facts["from_step"]
        (out / "run.json").write_text(json.dumps(facts))
    run = make_run(pictures, out, "tiny", "--steps", "4", "--resume")
    assert run.state.best and "resumed with other " not in caplog.text
    del run
    for name, said in [
        ("--data", "other training pictures"),
        ("--val", "other validation pictures: the best is chosen anew"),
    ]:
        caplog.clear()
        run = make_run(pictures, out, "tiny", "--steps", "4", "--resume", name, str(others))
        assert [r.getMessage() for r in caplog.records if "with other " in r.getMessage()] == [
            f"resumed with {said}"
        ]
        assert (run.state.best == {}) == (name == "--val")
    fit(run)
    assert run.state.best == {"val_psnr_y": -read_rows(out)[-1]["val_psnr_y"]}


def test_the_old_best_does_not_come_back_by_a_roll_back(pictures: Path, tmp_path: Path, caplog):
    fit(make_run(pictures, tmp_path, "tiny", "--steps", "2"))
    more = ["--steps", "4", "--resume", "--set", "validation_side=32"]
    run = make_run(pictures, tmp_path, "tiny", *more)
    assert "another validation: the best is chosen anew" in caplog.text
    run.load()
    assert run.state.best == {}
    fit(run)
    assert make_run(pictures, tmp_path, "tiny", "--steps", "6", "--resume").state.best


def test_pictures_are_known_by_their_content_wherever_they_lie(pictures: Path, tmp_path: Path):
    moved, changed = tmp_path / "moved", tmp_path / "changed"
    shutil.copytree(pictures, moved)
    shutil.copytree(pictures, changed)
    shutil.copy(pictures / "0.png", changed / "1.png")
    known, same, other = (fingerprint(Pictures.read(f)) for f in (pictures, moved, changed))
    assert known == same != other


def test_another_optimizer_is_refused_and_leaves_the_run_as_it_was(pictures: Path, tmp_path: Path):
    fit(make_run(pictures, tmp_path, "tiny", "--steps", "2"))
    before = read_run(tmp_path)
    with pytest.raises(SRHubError, match=r"trained by optimizer=adam.* --start-from .*/model"):
        make_run(pictures, tmp_path, "tiny", "--resume", "--set", "optimizer=momentum")
    with pytest.raises(SRHubError, match=r"--steps 1: .* is at step 2 already"):
        make_run(pictures, tmp_path, "tiny", "--resume", "--steps", "1")
    assert read_run(tmp_path) == before


def test_a_resumed_run_is_described_once_it_has_taken_a_step(
    pictures: Path, tmp_path: Path, monkeypatch
):
    fit(make_run(pictures, tmp_path, "tiny", "--steps", "2"))
    before = read_run(tmp_path)
    more = ["--steps", "4", "--resume", "--batch", "2"]

    def no_memory(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch, pytest.raises(MemoryError):
        patch.setattr(loop, "take_step", no_memory)
        fit(make_run(pictures, tmp_path, "tiny", *more))
    assert read_run(tmp_path) == before
    fit(make_run(pictures, tmp_path, "tiny", *more))
    now = read_run(tmp_path)
    assert (now["from_step"], now["config"]["batch"], now["parts"]) == (2, 2, [before])


def test_a_damaged_state_is_named(pictures: Path, tmp_path: Path):
    fit(make_run(pictures, tmp_path, "tiny", "--steps", "2"))
    (tmp_path / "last.pt").write_bytes(b"not a state")
    with pytest.raises(SRHubError, match=r"last\.pt cannot be read"):
        make_run(pictures, tmp_path, "tiny", "--resume")


def test_a_state_of_another_network_is_refused(pictures: Path, tmp_path: Path):
    fit(make_run(pictures, tmp_path, "tiny", "--steps", "2"))
    with pytest.raises(SRHubError, match=r"last\.pt is not of this run"):
        make_run(pictures, tmp_path, "tiny", "--resume", "--set", "arguments.groups=2")
