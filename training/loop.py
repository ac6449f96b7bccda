"""The training loop: the same for one process and for many, for a PSNR stage and for a GAN."""

import json
import logging
import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from training.checkpoint import LAST_FILE, State, load_state, save_model, save_state
from training.config import TrainConfig
from training.data import Pictures
from training.steps import (
    Context,
    apply_gradients,
    clip_gradients,
    compute_gradients,
    learning_rate_factor,
)
from training.validation import validate

logger = logging.getLogger(__name__)


@dataclass
class Run:
    """One run on one process: what it learns from, where it writes, when it stops."""

    config: TrainConfig
    state: State
    context: Context
    data: Pictures
    val: Pictures
    out: Path
    accelerator: Accelerator
    minutes: float = math.inf
    started: float = field(default_factory=time.monotonic)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        config = self.config
        lr, hr = self.data.batch(
            scale=self.state.generator.scale,
            patch=config.patch,
            size=config.batch,
            seed=config.seed,
            step=step,
            rank=self.accelerator.process_index,
        )
        return lr.to(self.context.device), hr.to(self.context.device)

    @property
    def out_of_time(self) -> bool:
        return time.monotonic() - self.started >= 60 * self.minutes


def fit(run: Run) -> State:
    """Train until the last step, the time limit or Ctrl-C; the state is saved in each case."""
    config, state = run.config, run.state
    began = time.monotonic() - state.seconds
    batch = run.batch(state.step)
    with stop_on_signal() as stopped:
        while state.step < config.steps and not stopped and not run.out_of_time:
            # forward, backward
            state.generator.train()
            numbers = compute_gradients(state, run.context, *batch)
            reduce_gradients(run)
            numbers |= clip_gradients(state, config)
            batch = run.batch(state.step + 1)

            # update
            values = {name: value.item() for name, value in numbers.items()}
            apply_gradients(state, config)
            state.step += 1
            state.seconds = time.monotonic() - began

            # log, validate, save
            log(run, values)
            if due(state.step, config.validate_every) or state.step == config.steps:
                judge(run)
            if due(state.step, config.save_every):
                save(run)
    save(run)
    return state


def due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def reduce_gradients(run: Run) -> None:
    """Average the gradients of all processes, as one message for each player."""
    if run.accelerator.num_processes == 1:
        return
    for player in (run.state.generator, run.state.discriminator):
        gradients = [p.grad for p in player.parameters() if p.grad is not None] if player else []
        if gradients:
            flat = torch.cat([gradient.flatten() for gradient in gradients])
            flat = run.accelerator.reduce(flat, "mean")
            sizes = [gradient.numel() for gradient in gradients]
            for gradient, part in zip(gradients, flat.split(sizes), strict=True):
                gradient.copy_(part.view_as(gradient))


def log(run: Run, values: dict[str, float]) -> None:
    """Add the numbers of a step to the sums; write their means when a line is due."""
    sums = run.state.sums
    for name, value in values.items():
        sums[name] = sums.get(name, 0.0) + value
    sums["count"] = sums.get("count", 0) + 1
    if due(run.state.step, run.config.log_every):
        count = sums.pop("count")
        means = {name: round(total / count, 6) for name, total in sums.items()}
        factor = learning_rate_factor(run.config, run.state.step - 1) * run.state.lr_factor
        write_row(run, {**means, "lr": run.config.lr * factor})
        sums.clear()


def judge(run: Run) -> None:
    """Validate the averaged generator; keep it as `best` if it is, by VGG distance in a GAN run."""
    scores = validate(run.state.ema, run.val, run.context)
    write_row(run, {name: round(value, 4) for name, value in scores.items()})
    value = scores.get("val_vgg", -scores["val_psnr_y"])
    if run.state.best is None or value < run.state.best:
        run.state.best = value
        if run.accelerator.is_main_process:
            save_model(run.state.ema, run.out / "best")


def write_row(run: Run, row: dict[str, float]) -> None:
    if run.accelerator.is_main_process:
        stamp = {"step": run.state.step, "seconds": round(run.state.seconds, 1)}
        with (run.out / "log.jsonl").open("a") as file:
            file.write(json.dumps({**stamp, **row}) + "\n")


def save(run: Run) -> None:
    if run.accelerator.is_main_process:
        save_state(run.state, run.out / LAST_FILE)
        save_model(run.state.ema, run.out / "model")


def resume(run: Run) -> None:
    """Go back to the last saved state, and cut off what the log says of later steps."""
    path = run.out / LAST_FILE
    if path.exists():
        load_state(run.state, path)
        log_path = run.out / "log.jsonl"
        lines = log_path.read_text().splitlines() if log_path.exists() else []
        kept = [line for line in lines if json.loads(line)["step"] <= run.state.step]
        if run.accelerator.is_main_process:
            log_path.write_text("".join(line + "\n" for line in kept))


def write_config(run: Run) -> None:
    if run.accelerator.is_main_process:
        run.out.mkdir(parents=True, exist_ok=True)
        (run.out / "config.json").write_text(json.dumps(asdict(run.config), indent=2) + "\n")


@contextmanager
def stop_on_signal() -> Iterator[list[int]]:
    """A list that is empty until Ctrl-C or a polite kill; a second Ctrl-C stops at once."""
    received: list[int] = []

    def note(number: int, _: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
