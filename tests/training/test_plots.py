import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from training_runs import command, write_pictures

from training import plots, train
from training.experiments import stability
from training.plots import Curves


def write_log(folder: Path, rows: list[dict], *, pictures: int = 8, batch: int = 2) -> Path:
    folder.mkdir()
    config = {"batch": batch}
    facts = {"config": config, "processes": 1, "data": {"pictures": pictures}}
    (folder / "run.json").write_text(json.dumps(facts))
    (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_a_line_that_is_no_text_is_passed_over(tmp_path):
    folder = write_log(tmp_path / "run", gan_rows(20))
    with (folder / "log.jsonl").open("ab") as log:
        log.write(b"\xff\xfe\n")
    assert Curves.read(folder).of("loss") == ([10, 20], [1 / 10, 1 / 20])


def gan_rows(steps: int, *, pace: float = 0.5) -> list[dict]:
    return [
        {"step": s, "seconds": pace * s, "loss": 1 / s, "d_loss": 0.7, "d_real": 0.5, "d_fake": 0.5}
        for s in range(10, steps + 1, 10)
    ]


def colours(path: Path) -> set[tuple[int, ...]]:
    """The strong colours of a figure: those of its curves."""
    pixels = np.array(Image.open(path).convert("RGB")).reshape(-1, 3)
    strong = pixels[np.ptp(pixels, axis=1) > 100]
    return set(map(tuple, strong // 16 * 16))


def test_draws_the_losses_scores_and_seconds_of_runs_over_each_other(tmp_path: Path, capsys):
    scores = [{"step": s, "seconds": 0.5 * s, "val_psnr_y": 28 + s / 200} for s in (100, 200)]
    first = write_log(tmp_path / "first", [*gan_rows(200), *scores])
    second = write_log(tmp_path / "second", gan_rows(200, pace=0.7))
    assert plots.main([str(first), str(second), "--out", str(tmp_path / "figures")]) == 0
    written = [Path(line).name for line in capsys.readouterr().out.splitlines()]
    assert written == ["losses.png", "scores.png", "seconds.png"]
    alone = tmp_path / "alone"
    assert plots.main([str(first), "--out", str(alone)]) == 0
    for name in ("losses.png", "seconds.png"):
        both, one = colours(tmp_path / "figures" / name), colours(alone / name)
        assert len(both) > len(one) > 0


def test_a_run_with_one_line_of_each_kind_is_seen(tmp_path: Path, monkeypatch):
    markers = []

    def look(figure: Any, path: Path) -> Path:
        markers.extend(line.get_marker() for axis in figure.axes for line in axis.lines)
        return path

    monkeypatch.setattr(plots, "_save", look)
    rows = [*gan_rows(10), {"step": 10, "seconds": 5.0, "val_psnr_y": 28.0}]
    assert plots.main([str(write_log(tmp_path / "run", rows))]) == 0
    assert markers == ["o"] * 5


def test_seconds_per_twenty_epochs(tmp_path: Path):
    run = Curves.read(write_log(tmp_path / "run", gan_rows(200)))
    assert run.steps_per_epoch == 4
    epochs, seconds = run.seconds_per_epochs()
    assert epochs.tolist() == [20, 40] and np.allclose(seconds, 80 * 0.5)


def test_a_folder_without_a_run_or_a_line_is_refused_in_one_line(tmp_path: Path, capsys):
    assert plots.main([str(tmp_path)]) == 2
    assert plots.main([str(write_log(tmp_path / "empty", []))]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert "holds no run" in lines[0] and "is empty" in lines[1] and len(lines) == 2


def test_what_cannot_be_read_or_written_is_one_line(tmp_path: Path, capsys):
    run = write_log(tmp_path / "run", gan_rows(30))
    (tmp_path / "file").write_text("in the way")
    assert plots.main([str(run), "--out", str(tmp_path / "file")]) == 2
    (run / "log.jsonl").unlink()
    (run / "log.jsonl").mkdir()
    assert plots.main([str(run), "--out", str(tmp_path / "figures")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and "file" in lines[0] and "log.jsonl" in lines[1]
    assert all(line.startswith("error: ") for line in lines)


@pytest.mark.parametrize(
    ("module", "absent"), [("plots", ["torch", "accelerate"]), ("push", ["accelerate"])]
)
def test_a_finished_run_is_read_without_what_trains(module: str, absent: list[str]):
    code = f"import sys; sys.modules.update(dict.fromkeys({absent})); import training.{module}"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True)


def test_plots_of_a_real_run(tmp_path: Path):
    pictures = write_pictures(tmp_path / "pictures")
    line = command(pictures, tmp_path / "run", "tiny-gan", "--steps", "10")
    assert train.main(line) == 0
    assert plots.main([str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "losses.png").stat().st_size > 5000


def test_the_stability_study_makes_a_figure_and_a_table(tmp_path: Path, monkeypatch):
    pictures = write_pictures(tmp_path / "pictures")
    monkeypatch.setattr(stability, "RUNS", {"one": "tiny-gan", "two": "tiny-gan"})
    line = ["--data", str(pictures), "--val", str(pictures), "--out", str(tmp_path / "study")]
    sizes = ["--steps", "20", "--pixel-steps", "5", "--patch", "12"]
    for _ in range(2):  # the second time there is nothing left to train
        assert stability.main([*line, *sizes, "--set", "warmup=1"]) == 0
    table = (tmp_path / "study" / "stability.md").read_text()
    assert "| one | 20 |" in table and "| two | 20 |" in table and "ran through" in table
    assert len(colours(tmp_path / "study" / "stability.png")) > 1


def test_a_study_without_a_gan_is_refused_before_it_trains(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(stability.train, "main", lambda _: pytest.fail("it trained"))
    line = ["--data", "d", "--val", "v", "--out", str(tmp_path / "study")]
    assert stability.main([*line, "--steps", "100"]) == 2
    assert "--steps 100: the GAN begins after 100 steps" in capsys.readouterr().err


def test_the_study_takes_settings_in_several_parts(tmp_path: Path, monkeypatch):
    lines = []
    monkeypatch.setattr(stability.train, "main", lambda line: lines.append(line) or 2)
    line = ["--data", "d", "--val", "v", "--out", str(tmp_path), "--set", "clip=2"]
    assert stability.main([*line, "--set", "ema=0"]) == 2
    assert lines[0][-2:] == ["clip=2", "ema=0"]


@pytest.mark.parametrize("end", [0, train.NOT_FINITE, 2, train.INTERRUPTED])
def test_the_study_tells_a_run_that_left_the_path_from_one_that_could_not_run(
    tmp_path: Path, monkeypatch, end: int
):
    tried = []

    def fake(line: list[str]) -> int:
        tried.append(line[0])
        write_log(Path(line[line.index("--out") + 1]), gan_rows(30))
        return end

    monkeypatch.setattr(stability.train, "main", fake)
    line = ["--data", "d", "--val", "v", "--out", str(tmp_path / "study")]
    (tmp_path / "study").mkdir()
    path = tmp_path / "study" / "stability.md"
    if end in (0, train.NOT_FINITE):
        assert stability.main(line) == 0
        assert path.read_text().count("stopped: not finite") == (3 if end else 0)
    else:
        assert stability.main(line) == end
        assert len(tried) == 1 and not path.exists()
