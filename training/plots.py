"""Curves of one run or of several over each other: `python -m training.plots RUN... --out DIR`.

Writes `losses.png` (generator and discriminator, as figures 1-1, 1-2, 4-3 and 4-4 of the main
report), `seconds.png` (training time per 20 epochs, as figure 4-8) and `scores.png` (validation).
"""

import argparse
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from sr_hub.errors import SRHubError
from sr_hub.files import write_whole
from training.command import command
from training.journal import LOG_FILE, read_log, read_run

EPOCHS = 20
"""Epochs in one point of the curve of seconds."""

LABELS = {
    "loss": "generator loss",
    "d_loss": "discriminator loss",
    "d_real": "D(real)",
    "d_fake": "D(generated)",
    "val_psnr_y": "validation PSNR on luma, dB",
    "val_lpips": "validation LPIPS",
    "val_vgg": "validation distance in VGG features",
}


@dataclass
class Curves:
    """What a run has logged, and how many steps its epochs have."""

    name: str
    rows: list[dict[str, Any]]
    batch: int
    """Patches in a step, of all processes."""
    steps_per_epoch: float

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The curves of a run's folder.

        Raises:
            SRHubError: if it holds no run, or one without a line in its log.
        """
        facts = read_run(folder)
        path = folder / LOG_FILE
        rows = list(read_log(path))
        if not rows:
            raise SRHubError(f"{path} is empty: the run has not come to its first line")
        patches = facts["config"]["batch"] * facts["processes"]
        return cls(folder.name, rows, patches, max(1.0, facts["data"]["pictures"] / patches))

    def of(self, name: str) -> tuple[list[int], list[float]]:
        """Steps and values of one number."""
        pairs = [(row["step"], row[name]) for row in self.rows if name in row]
        return [step for step, _ in pairs], [value for _, value in pairs]

    def seconds_per_epochs(self) -> tuple[np.ndarray, np.ndarray]:
        """Epochs reached, and the seconds of the `EPOCHS` before each (validation included)."""
        steps, seconds = (np.array([row[n] for row in self.rows]) for n in ("step", "seconds"))
        marks = np.arange(0, steps[-1] + 1, EPOCHS * self.steps_per_epoch)
        at = np.interp(marks, np.r_[0, steps], np.r_[0.0, seconds])
        return marks[1:] / self.steps_per_epoch, np.diff(at)


@command
def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0, or 2 with one line on stderr if the input is at fault."""
    parser = argparse.ArgumentParser(prog="python -m training.plots", description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument(
        "--out", type=Path, help="folder for the figures; the first run's if left out"
    )
    options = parser.parse_args(arguments)
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    runs = [Curves.read(run) for run in options.runs]
    written = write_figures(runs, options.out or options.runs[0])
    sys.stdout.write("".join(f"{path}\n" for path in written))
    return 0


def write_figures(runs: list[Curves], out: Path) -> list[Path]:
    """Write every figure that the runs have numbers for; the paths."""
    import matplotlib as mpl

    mpl.use("Agg")
    out.mkdir(parents=True, exist_ok=True)
    figures = {
        "losses.png": [n for n in ("loss", "d_loss", "d_real", "d_fake") if _any_has(runs, n)],
        "scores.png": [n for n in ("val_psnr_y", "val_lpips", "val_vgg") if _any_has(runs, n)],
    }
    paths = [draw(runs, names, out / file) for file, names in figures.items() if names]
    timed = [run for run in runs if len(run.seconds_per_epochs()[0])]
    return [*paths, draw_seconds(timed, out / "seconds.png")] if timed else paths


def draw(runs: list[Curves], names: list[str], path: Path) -> Path:
    """One panel for each number, against the step, with the runs over each other."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(names), figsize=(5 * len(names), 4), squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        for run in runs:
            steps, values = run.of(name)
            if steps:
                marker = "o" if name.startswith("val_") or len(steps) == 1 else None
                axis.plot(steps, values, label=run.name, linewidth=1, marker=marker, markersize=3)
        values = [value for run in runs for value in run.of(name)[1]]
        if "loss" in name and min(values) > 0 and max(values) > 30 * np.median(values):
            axis.set_yscale("log")
        axis.set(xlabel="step", ylabel=LABELS[name])
        axis.grid(alpha=0.3)
        axis.legend()
    return _save(figure, path)


def draw_seconds(runs: list[Curves], path: Path) -> Path:
    """Seconds of every `EPOCHS` epochs, against the epoch."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(6, 4))
    for run in runs:
        axis.plot(*run.seconds_per_epochs(), marker="o", markersize=3, label=run.name)
    axis.set(xlabel="epoch", ylabel=f"seconds per {EPOCHS} epochs", ylim=(0, None))
    axis.grid(alpha=0.3)
    axis.legend()
    return _save(figure, path)


def _any_has(runs: list[Curves], name: str) -> bool:
    return any(run.of(name)[0] for run in runs)


def _save(figure: Any, path: Path) -> Path:  # noqa: ANN401
    import matplotlib.pyplot as plt

    figure.tight_layout()
    write_whole(path, lambda temporary: figure.savefig(temporary, dpi=120, format="png"))
    plt.close(figure)
    return path


if __name__ == "__main__":
    sys.exit(main())
