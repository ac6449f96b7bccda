"""Recorded steps: what the loop makes of them. The recording itself needs a CUDA GPU."""

import math

import pytest
import torch
from training_runs import SRRESNET, command, make_run, read_rows

from sr_hub.models import load_model
from training import recorded, setup, train
from training.checkpoint import read_state
from training.loop import fit


@pytest.fixture
def on_the_cpu(monkeypatch):
    """In the place of graphs: the functions themselves, called each time."""

    class Arrived:
        def __init__(self, numbers: dict[str, torch.Tensor]) -> None:
            self.numbers = {name: number.item() for name, number in numbers.items()}

        def read(self) -> dict[str, float]:
            return self.numbers

    def call(self: recorded.Recorded, *inputs: torch.Tensor) -> object:
        return self.function(*inputs)

    monkeypatch.setattr(recorded.Recorded, "__call__", call)
    monkeypatch.setattr(recorded, "Pending", Arrived)
    monkeypatch.setattr(setup, "make_fast", lambda *_: None)


@pytest.mark.parametrize("recipe", ["tiny", "tiny-gan"])
def test_a_fast_run_takes_the_steps_of_a_plain_one(recipe, pictures, tmp_path, on_the_cpu):
    settings = ("--steps", "12", "--set", *SRRESNET, "precision=fp32", "log_every=1")
    plain = fit(make_run(pictures, tmp_path / "plain", recipe, *settings))
    fast = fit(make_run(pictures, tmp_path / "fast", recipe, "--fast", *settings))
    for one, other in zip(plain.ema.parameters(), fast.ema.parameters(), strict=True):
        if one.ndim == 4:  # rates in float32 differ in the eighth digit; twelve steps are 2e-2
            torch.testing.assert_close(one, other, rtol=0, atol=2e-4)
    before, after = (
        {row["step"]: row for row in read_rows(tmp_path / name) if "loss" in row}
        for name in ("plain", "fast")
    )
    assert list(after) == list(range(2, 13))
    for step, row in after.items():
        assert row["loss"] == pytest.approx(before[step - 1]["loss"], rel=1e-4)
        assert row["lr"] == pytest.approx(before[step]["lr"], rel=1e-5)


def test_a_fast_run_that_stopped_goes_on_without_haste(pictures, tmp_path, on_the_cpu):
    settings = ("--set", *SRRESNET, "precision=fp32")
    fit(make_run(pictures, tmp_path / "run", "tiny", "--fast", "--steps", "8", *settings))
    state = fit(make_run(pictures, tmp_path / "run", "tiny", "--resume", "--steps", "10"))
    assert state.step == 10


@pytest.mark.parametrize(("bad", "seen"), [(14, 16), (19, 20)])  # 20 is a save
def test_a_fast_run_returns_from_a_bad_batch_to_its_last_save(
    bad, seen, pictures, tmp_path, on_the_cpu
):
    out = tmp_path / "run"
    settings = ("--steps", "30", "--set", *SRRESNET, "save_every=10")
    run = make_run(pictures, out, "tiny", "--fast", *settings)
    make_batch, spoiled = run.batch, []

    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        lr, hr = make_batch(step)
        if step == bad and not spoiled:
            spoiled.append(step)
            return lr * math.nan, hr
        return lr, hr

    run.batch = batch
    state = fit(run)
    assert (state.step, state.rollbacks, state.lr_factor) == (30, 1, 0.5)
    (event,) = [row["event"] for row in read_rows(out) if "event" in row]
    assert f"rolled back from step {seen} after a step that was not finite (1 in all)" in event
    saved = read_state(out / "last.pt")["generator"].values()
    assert all(torch.isfinite(tensor).all() for tensor in saved)
    load_model(out / "model")


def test_without_a_gpu_fast_is_refused_in_one_line(pictures, tmp_path, capsys):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    assert train.main(command(pictures, tmp_path / "run", "tiny", "--fast")) == 2
    assert capsys.readouterr().err == "error: --fast needs a CUDA GPU: leave it out here\n"
