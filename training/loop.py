"""The training loop: one for PSNR stages and GANs, for one process and many."""

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from training.checkpoint import LAST_FILE, NotFiniteError, State, save_generator
from training.parallel import (
    any_process,
    average_gradients,
    average_numbers,
    from_main,
    share_buffers,
)
from training.run import Run
from training.samples import write_samples
from training.steps import (
    average_decay,
    clip_gradients,
    compute_gradients,
    move_weights,
    set_rates,
    update_average,
)
from training.validation import badness, validate

MAX_ROLLBACKS = 2
"""Roll-backs after which a run that stumbles again is stopped."""

Batch = tuple[Tensor, Tensor]


def fit(run: Run) -> State:
    """Train until the last step, the time limit or Ctrl-C; in each case the state is saved.

    Raises:
        NotFiniteError: if steps that are not finite keep coming after `MAX_ROLLBACKS` roll-backs.
    """
    config, state = run.config, run.state
    if from_main(run.accelerator, not (run.out / LAST_FILE).exists()):
        run.save()
    run.journal.start(state.step)
    clock = time.monotonic() - state.seconds
    batch = run.batch(state.step)
    with stop_on_signal() as signals:
        while state.step < config.steps:
            values, batch = take_step(run, batch)
            run.write_description()
            state.seconds = time.monotonic() - clock
            if state.streak >= run.patience:
                roll_back(run)
                batch = run.batch(state.step)
                continue
            log(run, values)
            if due(state.step, config.validate_every) or state.step == config.steps:
                judge(run)
            if due(state.step, config.sample_every):
                show(run)
            if due(state.step, config.keep_every) and run.is_main and state.is_finite():
                save_generator(state.ema, run.out / f"step-{state.step:07d}")
            if due(state.step, config.save_every) and not state.streak:
                run.save()
            run.interrupted = bool(signals)
            if any_process(run.accelerator, run.interrupted or run.out_of_time):
                run.note("stopped and saved; --resume goes on from here")
                break
    run.save()
    run.journal.close()
    return state


def take_step(run: Run, batch: Batch) -> tuple[dict[str, float], Batch]:
    """One step on `batch`, skipped if it is not finite; its numbers, and the next batch.

    The next batch is cut while the device still computes this step.
    """
    if run.recorded:
        return take_recorded_step(run, batch)
    state, config = run.state, run.config
    buffers = [buffer.clone() for player in state.players for buffer in player.buffers()]
    numbers = compute_gradients(state, run.context, *batch)
    average_gradients(run.accelerator, state.players)
    numbers |= clip_gradients(state, config)
    upcoming = run.batch(state.step + 1)
    values = average_numbers(run.accelerator, numbers)
    if all(math.isfinite(value) for value in values.values()):
        set_rates(state, config)
        move_weights(state)
        update_average(state.ema, state.generator, average_decay(config, state.step))
        state.streak = 0
    else:
        skip(run, buffers)
    state.step += 1
    return values, upcoming


def take_recorded_step(run: Run, batch: Batch) -> tuple[dict[str, float], Batch]:
    """The same on a GPU that never stands still; the numbers are those of the step before.

    A step that is not finite is seen too late to be skipped: the run returns to its last save. In
    front of a save the numbers are waited for, so that no spoiled weights are saved.
    """
    state, config = run.state, run.config
    set_rates(state, config)
    values = run.recorded(*batch)
    update_average(state.ema, state.generator, average_decay(config, state.step))
    upcoming = run.batch(state.step + 1)
    state.step += 1
    seen = [values]
    if due(state.step, config.save_every):
        seen.append(run.recorded.pending.read())
    if not all(math.isfinite(value) for numbers in seen for value in numbers.values()):
        state.skipped += 1
        state.streak += 1
    return values, upcoming


def due(step: int, every: int) -> bool:
    """Whether something that happens every so many steps (0: never) happens at this one."""
    return every > 0 and step % every == 0


def skip(run: Run, buffers: list[Tensor]) -> None:
    """Leave the weights as they are, and put back what the bad batch did to the buffers."""
    state = run.state
    current = [buffer for player in state.players for buffer in player.buffers()]
    for buffer, before in zip(current, buffers, strict=True):
        buffer.copy_(before)
    state.skipped += 1
    state.streak += 1
    run.note(f"skipped: a loss or gradient is not finite ({state.skipped} so far)")


def roll_back(run: Run) -> None:
    """Return to the last saved state, with half the learning rate.

    Raises:
        NotFiniteError: if that has been done `MAX_ROLLBACKS` times already.
    """
    state = run.state
    streak = (
        "a step that was not finite"
        if state.streak == 1
        else f"{state.streak} steps in a row that were not finite"
    )
    stumbled, skipped, rollbacks = state.step, state.skipped, state.rollbacks + 1
    factor, seconds = state.lr_factor / 2, state.seconds
    if rollbacks > MAX_ROLLBACKS:
        raise NotFiniteError(
            f"stopped at step {stumbled} after {streak} and {MAX_ROLLBACKS} roll-backs; "
            f"{run.out / LAST_FILE} is sound: try a lower --lr"
        )
    run.load()
    state.skipped, state.rollbacks, state.lr_factor = skipped, rollbacks, factor
    state.streak, state.seconds = 0, seconds
    run.save()
    run.note(
        f"rolled back from step {stumbled} after {streak} ({skipped} in all); "
        f"the learning rate is {factor:g} of the recipe's from here on"
    )


def log(run: Run, values: dict[str, float]) -> None:
    """Add a step's numbers to the sums, and write their means when a line is due."""
    state = run.state
    if values and not state.streak:
        for name, value in {**values, "count": 1}.items():
            state.sums[name] = state.sums.get(name, 0.0) + value
    run.journal.at(state.step, state.sums)
    if due(state.step, run.config.log_every) and state.sums:
        count = state.sums.pop("count")
        means = {name: float(f"{total / count:.6g}") for name, total in state.sums.items()}
        rate = float(state.generator_optimizer.param_groups[0]["lr"])
        run.journal.write(state.step, state.seconds, {**means, "lr": float(f"{rate:.6g}")})
        state.sums = {}


def judge(run: Run) -> None:
    """Validate the averaged generator, and keep it as `best` if it is."""
    state, accelerator = run.state, run.accelerator
    share_buffers(accelerator, state.ema)
    mine = range(accelerator.process_index, len(run.val), accelerator.num_processes)
    sums = validate(state.ema, run.val, run.context, lpips=run.lpips, indices=mine)
    on_device = {name: torch.tensor(v, device=accelerator.device) for name, v in sums.items()}
    means = average_numbers(accelerator, on_device)
    count = means.pop("count")
    scores = {name: round(value / count, 5) for name, value in means.items()}
    run.journal.write(state.step, state.seconds, scores)
    name, value = badness(scores)
    if math.isfinite(value) and (state.best.keys() != {name} or value < state.best[name]):
        state.best = {name: value}
        if run.is_main:
            save_generator(state.ema, run.out / "best")


def show(run: Run) -> None:
    """Write a grid of samples."""
    if run.is_main:
        path = run.out / "samples" / f"step-{run.state.step:07d}.png"
        write_samples(run.state.ema, run.val, run.context, path)


@contextmanager
def stop_on_signal() -> Iterator[list[int]]:
    """A list that is empty until Ctrl-C or a polite kill; a second one stops at once."""
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
