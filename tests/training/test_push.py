"""A finished run as a Hub folder, and its way to the Hub."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from training_runs import command, read_rows, write_pictures

from sr_hub.models import load_model
from training import push, train
from training.checkpoint import read_state
from training.push import chosen_row


def test_push_tells_the_score_of_the_best_by_the_measure_of_the_end():
    by_psnr = [{"step": 2, "val_psnr_y": 28.5}]
    by_lpips = [{"step": s, "val_psnr_y": 28, "val_lpips": v} for s, v in ((4, 0.2), (6, 0.1))]
    whole = [{"from_step": 0}]
    assert chosen_row([*by_psnr, *by_lpips], "best", whole)["step"] == 6
    assert chosen_row(by_psnr, "best", whole)["step"] == 2
    by_vgg = [{**row, "val_vgg": 1 - row["val_lpips"]} for row in by_lpips]
    assert chosen_row(by_vgg, "best", whole)["step"] == 6


def test_a_validation_that_was_no_number_is_not_the_best():
    scores = [float("nan"), 30, 31, 29]
    rows = [{"step": step, "val_psnr_y": score} for step, score in enumerate(scores, 1)]
    assert chosen_row(rows, "best", [{"from_step": 0}])["val_psnr_y"] == 31


def test_the_loss_of_the_card_is_that_of_the_last_tenth(finished, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    rows = [{"step": step, "seconds": 1, "loss": loss} for step, loss in ((1, 9), (5, 3), (6, 2))]
    told = [row for row in read_rows(run) if "val_psnr_y" in row]
    (run / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, *told]))
    assert pushed(run, tmp_path / "hub", "model")[0]["loss"] == 2


def test_a_command_keeps_its_quotes_and_no_folders_of_the_machine(pictures, tmp_path, monkeypatch):
    out = tmp_path / "my run"
    line = command(pictures, out, "tiny", "--steps", "1", f"--cache={tmp_path / 'cache'}")
    train_as(line, monkeypatch)
    told = json.loads((out / "run.json").read_text())["command"]
    assert "--out 'my run'" in told and "--cache=cache" in told
    assert str(tmp_path) not in told and str(pictures.parent) not in told


def test_push_tells_of_the_last_generator_what_was_measured_on_it(finished, tmp_path):
    run, out = tmp_path / "run", tmp_path / "hub"
    shutil.copytree(finished, run)
    validated = [row for row in read_rows(run) if "val_psnr_y" in row]
    assert [row["step"] for row in validated] == [3, 6]

    with (run / "log.jsonl").open("a") as log:  # of a run that was killed before its next save
        log.write(json.dumps({**validated[1], "step": 9, "val_psnr_y": 99}) + "\n")
    training, metrics, _ = pushed(run, out, "model")
    assert metrics == validated[1]
    assert training["steps"] == 6
    assert f"{metrics['val_psnr_y']:.2f} dB on luma" in training["validation"]

    saved = read_state(run / "last.pt")
    torch.save({**saved, "step": 5}, run / "last.pt")
    training, metrics, _ = pushed(run, out, "model")
    assert metrics == {"step": 5, "seconds": round(saved["seconds"], 2)}
    assert training["steps"] == 5 and training["loss"] > 0 and "validation" not in training
    assert "dB on luma" not in (out / "README.md").read_text()


def train_as(line: list[str], monkeypatch) -> None:
    """Train as the command line does, whose words `run.json` keeps."""
    monkeypatch.setattr(sys, "argv", ["train", *line])
    assert train.main(line) == 0


def pushed(run: Path, out: Path, which: str) -> tuple[dict, dict, str]:
    """The facts of the training, those of the validation, and the card."""
    line = [str(run), "user/x", "--which", which, "--out", str(out), "--dry-run"]
    assert push.main(line) == 0
    facts = [json.loads((out / name).read_text()) for name in ("training.json", "metrics.json")]
    return *facts, (out / "README.md").read_text()


def test_push_tells_all_that_led_to_the_weights_and_no_more(pictures, tmp_path, monkeypatch):
    run, out = tmp_path / "run", tmp_path / "hub"
    more = write_pictures(tmp_path / "more", count=5)
    settings = ["--set", "keep_every=3", "validate_every=3"]
    train_as(command(pictures, run, "tiny", "--steps", "3", *settings), monkeypatch)
    resumed = [*command(pictures, run, "tiny", "--resume"), "--data", str(more), "--steps", "9"]
    changed = [*resumed, "--batch", "8", "--set", "losses.mse=2"]
    train_as([*changed, "--minutes", "0"], monkeypatch)
    train_as([*changed, "--minutes", "0"], monkeypatch)
    assert len(json.loads((run / "run.json").read_text())["parts"]) == 1

    training, _, _ = pushed(run, out, "step-0000003")
    assert training["batch"] == "4 patches of 12 pixels" and training["losses"] == {"l1": 1.0}
    assert training["data"] == [{"name": "pictures", "pictures": 4}]
    assert "--resume" not in training["command"] and "losses_on_the_way" not in training

    train_as(resumed, monkeypatch)
    training, _, card = pushed(run, out, "model")
    assert training["batch"] == "4 patches of 12 pixels; from step 3 on 8 patches of 12 pixels"
    assert training["losses"] == {"l1": 1.0, "mse": 2}
    assert training["losses_on_the_way"] == "l1 1; from step 3 on l1 1, mse 2"
    assert [entry["name"] for entry in training["data"]] == ["pictures", "more"]
    commands = training["command"].split("; ")
    assert [("--resume" in line, "mse" in line) for line in commands] == [
        (False, False),
        (True, True),
        (True, False),
    ]
    assert all(line in card for line in [*commands, training["batch"]])


def test_push_counts_the_scores_on_the_pictures_of_the_end_alone(pictures, tmp_path, monkeypatch):
    run = tmp_path / "run"
    train_as(command(pictures, run, "tiny", "--steps", "3"), monkeypatch)
    with (run / "log.jsonl").open("a") as log:
        log.write(json.dumps({"step": 3, "seconds": 1.0, "val_psnr_y": 99.0}) + "\n")
    assert pushed(run, tmp_path / "hub", "best")[1]["val_psnr_y"] == 99.0
    line = command(pictures, run, "tiny", "--steps", "5", "--resume")
    train_as([*line, "--val", str(write_pictures(tmp_path / "others", count=3))], monkeypatch)
    training, metrics, _ = pushed(run, tmp_path / "hub", "best")
    assert metrics["step"] == 5 and "of 3 other pictures" in training["validation"]


def test_push_reads_a_run_from_before_there_were_parts(finished, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    facts = json.loads((run / "run.json").read_text())
    for each in (facts, facts["data"], facts["val"]):
        each.pop("from_step", None)
        each.pop("fingerprint", None)
    (run / "run.json").write_text(json.dumps(facts))
    assert pushed(run, tmp_path / "hub", "best")[0]["batch"] == "4 patches of 12 pixels"


def test_push_out_of_or_into_what_is_no_folder_is_one_line(finished, tmp_path, capsys):
    run, file = tmp_path / "run", tmp_path / "file"
    file.write_text("in the way")
    shutil.copytree(finished, run)
    for out in (file, file / "hub"):
        for more in ([], ["--half"]):
            line = [str(run), "user/x", "--dry-run", "--out", str(out), *more]
            assert push.main(line) == 2
    (run / "log.jsonl").unlink()
    (run / "log.jsonl").mkdir()
    assert push.main([str(run), "user/x", "--dry-run"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5 and all(line.startswith("error: ") for line in lines)
    assert all("file" in line for line in lines[:4]) and "log.jsonl" in lines[4]


def test_a_dry_run_needs_no_token(finished, tmp_path, hub, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    hub.fail("refuse", times=100)
    out = tmp_path / "hub"
    assert push.main([str(finished), "tiny-x4", "--out", str(out), "--dry-run"]) == 0
    assert 'Upscaler("tiny-x4")' in (out / "README.md").read_text()


def test_push_dry_run_writes_the_folder_and_uploads_nothing(finished, tmp_path, capsys, hub):
    (tmp_path / "facts.json").write_text('{"license": "cc0-1.0", "hours": 7}')
    facts = ["--facts", str(tmp_path / "facts.json")]
    line = [str(finished), "user/tiny-x4", "--out", str(tmp_path / "hub"), "--dry-run", *facts]
    assert push.main(line) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "hub")
    names = {"README.md", "config.json", "model.safetensors", "training.json", "metrics.json"}
    assert {path.name for path in (tmp_path / "hub").iterdir()} == names
    best = load_model(finished / "best").state_dict()
    for name, tensor in load_model(tmp_path / "hub").state_dict().items():
        assert torch.equal(tensor, best[name])
    training = json.loads((tmp_path / "hub" / "training.json").read_text())
    assert training["recipe"] == "tiny" and training["hours"] == 7
    assert 0 < training["loss"] < 1 and training["seconds_per_epoch"] > 0
    card = (tmp_path / "hub" / "README.md").read_text()
    assert "user/tiny-x4" in card and "pictures: 4 pictures" in card and "cc0-1.0" in card
    assert str(finished) not in card
    assert hub.count("POST") == 0


@pytest.mark.parametrize(
    ("val", "said"),
    [
        ({"pictures": 4, "learned_from": 4}, "of 4 pictures, 4 of which it learned from"),
        ({"pictures": 4, "learned_from": 0}, "of 4 other pictures"),
        ({"pictures": 4}, "of 4 other pictures"),
    ],
)
def test_push_tells_how_many_validation_pictures_were_learned_from(finished, tmp_path, val, said):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    described = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**described, "val": val}))
    assert push.main([str(run), "user/x", "--dry-run"]) == 0
    assert said in (run / "push" / "README.md").read_text()


def test_push_half_stores_16_bits_that_load_as_32(finished, tmp_path):
    out = tmp_path / "folder"
    assert push.main([str(finished), "user/x", "--half", "--dry-run", "--out", str(out)]) == 0
    full, half = load_model(finished / "best"), load_model(out)
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (finished / "best", out)]
    assert sizes[1] < 0.7 * sizes[0]
    assert next(half.parameters()).dtype == torch.float32
    image = torch.rand(1, 3, 8, 8)
    assert torch.allclose(half(image), full(image), atol=1e-2)


def test_push_makes_one_commit_that_loads(finished: Path, tmp_path: Path, hub):
    assert push.main([str(finished), "user/tiny-x4", "--out", str(tmp_path / "hub")]) == 0
    assert hub.count("POST /api/models/user/tiny-x4/commit") == 1
    model = load_model("user/tiny-x4")
    best = load_model(finished / "best").state_dict()
    assert all(torch.equal(t, best[n]) for n, t in model.state_dict().items())


@pytest.mark.parametrize("more", [[], ["--half"]])
def test_push_keeps_a_card_that_was_edited_unless_told_otherwise(finished, tmp_path, hub, more):
    card = tmp_path / "hub" / "README.md"
    line = [str(finished), "tiny-x4", "--out", str(tmp_path / "hub"), *more]
    assert push.main([*line, "--dry-run"]) == 0
    assert 'Upscaler("user/tiny-x4")' in card.read_text()
    card.write_text(card.read_text() + "\nA remark by hand.\n")
    for keep in ([], ["--keep-card"]):
        assert push.main([*line, *keep]) == 0
        repo = hub.repo("user/tiny-x4")
        assert repo.commits[repo.branches["main"]]["README.md"] == card.read_bytes()
        assert "A remark by hand." in card.read_text()
    assert push.main([*line, "--new-card"]) == 0
    assert "A remark by hand." not in card.read_text()


def test_push_refuses_what_is_no_run(finished: Path, tmp_path: Path, capsys):
    assert push.main([str(tmp_path), "user/x", "--dry-run"]) == 2
    assert push.main([str(finished), "user/x", "--which", "step-9", "--dry-run"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert "holds no run" in lines[0] and "no generator 'step-9'" in lines[1]
    for other in ("[]", '{"name": "website"}'):
        (tmp_path / "run.json").write_text(other)
        assert push.main([str(tmp_path), "user/x", "--dry-run"]) == 2
        assert "holds no run: its run.json" in capsys.readouterr().err
