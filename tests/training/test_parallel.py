"""Two processes on one machine take the step that one takes with the double batch."""

import copy
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from training_runs import SRRESNET, command, make_run, read_rows, write_pictures

from training.checkpoint import read_state
from training.loop import fit, judge
from training.run import Run
from training.steps import compute_gradients
from training.validation import validate

TWO = """
import sys, torch
from training import train
from training.parallel import average_gradients
from training.setup import prepare
from training.steps import compute_gradients

out, *arguments = sys.argv[1:]
run = prepare(train.build_parser().parse_args(arguments))
compute_gradients(run.state, run.context, *run.batch(0))
average_gradients(run.accelerator, run.state.players)
gradients = [[p.grad for p in player.parameters()] for player in run.state.players]
torch.save(gradients, f"{out}/{run.accelerator.process_index}.pt")
sys.exit(train.main(arguments))
"""

SETTINGS = ["precision=fp32", "discriminator_arguments.batch_norm=False", "log_every=2"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> tuple[Path, Path]:
    """The pictures, and a folder with two processes' gradients and their run of four steps."""
    folder = tmp_path_factory.mktemp("two")
    pictures = write_pictures(folder / "pictures")
    line = command(pictures, folder / "run", "tiny-gan", "--steps", "4", "--set", *SETTINGS)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared |= {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TWO, str(folder), *line],
            cwd=Path(__file__).parents[2],
            env={**os.environ, **shared, "RANK": rank, "LOCAL_RANK": rank},
            stderr=subprocess.PIPE,
        )
        for rank in "01"
    ]
    ends = [(p.communicate(timeout=180)[1].decode(), p.returncode) for p in processes]
    assert [code for _, code in ends] == [0, 0], ends
    return pictures, folder


def double_batch(run: Run, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The patches of both processes."""
    halves = [
        run.data.batch(scale=4, patch=12, size=4, seed=0, step=step, rank=rank) for rank in (0, 1)
    ]
    lr, hr = (torch.cat(parts) for parts in zip(*halves, strict=True))
    return lr, hr


def test_first_gradients_are_those_of_one_process_with_the_double_batch(runs, tmp_path: Path):
    pictures, folder = runs
    run = make_run(pictures, tmp_path, "tiny-gan", "--set", *SETTINGS)
    compute_gradients(run.state, run.context, *double_batch(run, 0))
    expected = [[p.grad for p in player.parameters()] for player in run.state.players]
    for rank in (0, 1):
        found = torch.load(folder / f"{rank}.pt")
        for mine, reference in zip(found, expected, strict=True):
            for ours, theirs in zip(mine, reference, strict=True):
                assert (ours - theirs).abs().max() < 1e-5


def test_two_processes_reach_the_weights_of_one_with_the_double_batch(runs, tmp_path: Path):
    pictures, folder = runs
    run = make_run(pictures, tmp_path, "tiny-gan", "--steps", "4", "--set", *SETTINGS)
    start = [weights(player.state_dict()) for player in run.state.players]
    run.batch = lambda step: double_batch(run, step)
    fit(run)
    saved = read_state(folder / "run" / "last.pt")
    found = [weights(saved[name]) for name in ("generator", "discriminator")]
    for player, before, theirs in zip(run.state.players, start, found, strict=True):
        ours = weights(player.state_dict())
        assert (ours - theirs).norm() < 1e-3 * (ours - before).norm()


def weights(state: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in state.values()]).clone()


def test_two_processes_write_one_run(runs):
    _, folder = runs
    rows = read_rows(folder / "run")
    assert [row["step"] for row in rows] == [2, 4, 4]
    state = read_state(folder / "run" / "last.pt")
    assert state["step"] == 4
    assert all(torch.isfinite(t).all() for t in state["ema"].values())


class SecondOfTwo:
    """The accelerator of a second process, whose numbers are those of the first."""

    num_processes, process_index, is_main_process = 2, 1, False
    device = torch.device("cpu")

    def reduce(self, tensor: torch.Tensor, _: str) -> torch.Tensor:
        return tensor


def test_a_validation_is_by_the_main_process_s_statistics_of_batch_norm(
    pictures: Path, tmp_path: Path, monkeypatch
):
    run = make_run(pictures, tmp_path, "tiny", "--set", *SRRESNET)
    main = copy.deepcopy(run.state.ema)
    for buffer in main.buffers():
        buffer.add_(1)
    sent = {0: main.buffers()}
    monkeypatch.setattr(
        "torch.distributed.broadcast", lambda buffer, src: buffer.copy_(next(sent[src]))
    )
    run.accelerator, run.is_main = SecondOfTwo(), False
    before = validate(run.state.ema, run.val, run.context, indices=range(1, 4, 2))
    judge(run)
    expected = validate(main, run.val, run.context, indices=range(1, 4, 2))
    assert before != expected
    assert read_rows(tmp_path)[0]["val_psnr_y"] == round(expected["val_psnr_y"] / 2, 5)
    for ours, theirs in zip(run.state.ema.buffers(), main.buffers(), strict=True):
        assert torch.equal(ours, theirs)
