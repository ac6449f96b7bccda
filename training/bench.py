"""How fast a recipe trains on this machine: `python -m training.bench RECIPE... [--data DIR]`.

Prints a row of a Markdown table for each: parameters, steps per second, the part of the time spent
on making the batches, peak memory. Without `--data` the pictures are noise, which costs the same.
"""

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sr_hub.speed import in_own_process, peak_memory
from training.command import command
from training.loop import take_step
from training.run import Run
from training.setup import prepare
from training.train import build_parser

WARM_UP = 4
"""Steps before the clock starts: kernels are chosen, compiled and recorded in them."""

HEADER = "| recipe | parameters | batch x patch | steps/s | data | peak memory | machine |"


@command
def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0, or 2 with one line on stderr if the input is at fault."""
    parser = argparse.ArgumentParser(prog="python -m training.bench", description=__doc__)
    parser.add_argument("recipes", nargs="+", metavar="RECIPE")
    parser.add_argument("--data", type=Path, help="folder of pictures; noise if left out")
    parser.add_argument("--steps", type=int, default=20, help="steps that are timed")
    options, rest = parser.parse_known_args(arguments)
    for recipe in options.recipes:
        _recipe_options(recipe, Path(), Path(), Path(), rest)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    sys.stdout.write(f"{HEADER}\n|{'---|' * 7}\n")
    why = "as for want of memory: use a smaller --batch or --patch"
    for recipe in options.recipes:
        row = in_own_process(measure, recipe, options.data, options.steps, rest, why=why)
        sys.stdout.write(row + "\n")
        sys.stdout.flush()
    return 0


def measure(recipe: str, data: Path | None, steps: int, rest: list[str]) -> str:
    """The table's row of one recipe: its name, the pictures, the steps and other options."""
    with tempfile.TemporaryDirectory() as folder:
        pictures = data or _noise(Path(folder) / "noise")
        val = _noise(Path(folder) / "val", count=1)
        run = prepare(_recipe_options(recipe, pictures, val, Path(folder) / "run", rest))
        clock = _Clock(run)
        batch = run.batch(0)
        for step in range(WARM_UP + steps):
            if step == WARM_UP:
                clock.start()
            _, batch = take_step(run, batch)
        seconds = clock.stop()
    config, network = run.config, run.state.generator
    share = 100 * clock.data_seconds / seconds
    return (
        f"| {recipe} | {network.num_parameters:,} | {config.batch} x {config.patch} | "
        f"{steps / seconds:.2f} | {share:.0f} % | {peak_memory(run.context.device) / 1e9:.1f} GB | "
        f"{run.accelerator.device.type}, {'bf16' if run.context.autocast else 'fp32'} |"
    )


def _recipe_options(
    recipe: str, data: Path, val: Path, out: Path, rest: list[str]
) -> argparse.Namespace:
    where = ["--data", str(data), "--val", str(val), "--out", str(out)]
    return build_parser().parse_args([recipe, *where, *rest])


class _Clock:
    """Times the steps, and within them the making of batches, with the device brought to rest."""

    def __init__(self, run: Run) -> None:
        self.device, self.make_batch = run.context.device, run.batch
        self.data_seconds, self.began = 0.0, 0.0
        run.batch = self.timed_batch

    def timed_batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        began = self.now()
        batch = self.make_batch(step)
        self.data_seconds += self.now() - began
        return batch

    def now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def start(self) -> None:
        self.data_seconds, self.began = 0.0, self.now()

    def stop(self) -> float:
        return self.now() - self.began


def _noise(folder: Path, *, count: int = 4, side: int = 640) -> Path:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(count):
        pixels = rng.integers(256, size=(side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.bmp")
    return folder


if __name__ == "__main__":
    sys.exit(main())
