"""A finished run as a Hub folder, and its way to the Hub."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from training_runs import read_rows

from sr_hub.models import load_model
from training import push
from training.checkpoint import read_state
from training.push import chosen_row


def test_push_tells_the_score_of_the_best_by_the_measure_of_the_end():
    by_psnr = [{"step": 2, "val_psnr_y": 28.5}]
    by_lpips = [{"step": s, "val_psnr_y": 28, "val_lpips": v} for s, v in ((4, 0.2), (6, 0.1))]
    assert chosen_row([*by_psnr, *by_lpips], "best")["step"] == 6
    assert chosen_row(by_psnr, "best")["step"] == 2


def test_push_tells_of_the_last_generator_what_was_measured_on_it(finished, tmp_path):
    run, out = tmp_path / "run", tmp_path / "hub"
    shutil.copytree(finished, run)
    validated = [row for row in read_rows(run) if "val_psnr_y" in row]
    assert [row["step"] for row in validated] == [3, 6]

    def pushed() -> tuple[dict, dict]:
        line = [str(run), "user/x", "--which", "model", "--out", str(out), "--dry-run"]
        assert push.main(line) == 0
        names = ("training.json", "metrics.json")
        training, metrics = (json.loads((out / name).read_text()) for name in names)
        return training, metrics

    with (run / "log.jsonl").open("a") as log:  # of a run that was killed before its next save
        log.write(json.dumps({**validated[1], "step": 9, "val_psnr_y": 99}) + "\n")
    training, metrics = pushed()
    assert metrics == validated[1]
    assert training["steps"] == 6
    assert f"{metrics['val_psnr_y']:.2f} dB on luma" in training["validation"]

    saved = read_state(run / "last.pt")
    torch.save({**saved, "step": 5}, run / "last.pt")
    training, metrics = pushed()
    assert metrics == {"step": 5, "seconds": round(saved["seconds"], 2)}
    assert training["steps"] == 5 and training["loss"] > 0 and "validation" not in training
    assert "dB on luma" not in (out / "README.md").read_text()


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
def test_push_keeps_a_card_that_was_edited_on_request(finished, tmp_path, hub, more):
    card = tmp_path / "hub" / "README.md"
    line = [str(finished), "tiny-x4", "--out", str(tmp_path / "hub"), *more]
    assert push.main([*line, "--dry-run", "--keep-card"]) == 0
    assert 'Upscaler("user/tiny-x4")' in card.read_text()
    card.write_text(card.read_text() + "\nA remark by hand.\n")
    assert push.main([*line, "--keep-card"]) == 0
    repo = hub.repo("user/tiny-x4")
    assert repo.commits[repo.branches["main"]]["README.md"] == card.read_bytes()
    assert "A remark by hand." in card.read_text()
    assert push.main(line) == 0
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
