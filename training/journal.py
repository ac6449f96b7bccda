"""What a run writes for people: `log.jsonl`, `run.json`, a progress bar or lines on progress.

Each line of `log.jsonl` has the step and the seconds of training so far. Lines of the steps hold
`loss`, each loss by its name, `g_norm`, `lr` and, in a GAN run, `d_loss`, `d_norm`, `d_real` and
`d_fake` (mean probability that a real, a generated picture is real). Lines of a validation hold
`val_psnr_y` and so on. Lines about the run itself hold an `event`.
"""

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sr_hub.errors import SRHubError
from sr_hub.files import write_text

LOG_FILE, RUN_FILE = "log.jsonl", "run.json"  # `sr_hub.folder` would load torch

TELL_EVERY = 60.0
"""Seconds between lines on the progress, where there is no terminal for a bar."""

logger = logging.getLogger(__name__)


class Journal:
    """Writes the log of a run and shows its progress; a silent one does neither.

    `clock` tells the seconds that the lines on the progress go by.
    """

    def __init__(
        self,
        out: Path,
        *,
        steps: int,
        silent: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path, self.silent = out / LOG_FILE, silent
        hide = silent or not sys.stderr.isatty()
        self.bar = tqdm(total=steps, unit="step", disable=hide, dynamic_ncols=True, smoothing=0.05)
        self.shown: dict[str, str] = {}
        self.steps, self.clock = steps, clock
        self.told = (0, clock())

    def write(self, step: int, seconds: float, row: dict[str, Any]) -> None:
        """Add a line to the log."""
        if self.silent:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps({"step": step, "seconds": round(seconds, 2), **row}) + "\n")
        self._show(step, row)

    def event(self, step: int, seconds: float, text: str) -> None:
        """Add a line in words to the log, and say it."""
        self.write(step, seconds, {"event": text})
        if not self.silent:
            with tqdm.external_write_mode():
                logger.warning("step %d: %s", step, text)

    def say(self, text: str) -> None:
        """Say a line that the log does not need."""
        with tqdm.external_write_mode():
            logger.info("%s", text)

    def start(self, step: int) -> None:
        """Let the progress begin at a step, so that a resumed run estimates well."""
        self.bar.initial = self.bar.n = step
        self.told = (step, self.clock())

    def at(self, step: int, sums: dict[str, float]) -> None:
        """Move the progress bar, or say now and then how far the run is.

        Args:
            step: steps that are done.
            sums: numbers of the steps since the last line of the log, and their "count".
        """
        self.bar.update(step - self.bar.n)
        told, since = self.told
        seconds = self.clock() - since
        if self.bar.disable and not self.silent and seconds >= TELL_EVERY:
            self.told = (step, self.clock())
            self.say(self._progress(step, sums, (step - told) / seconds))

    def close(self) -> None:
        """Leave the progress bar as it is."""
        self.bar.close()

    def cut(self, step: int) -> None:
        """Take out the lines of later steps, which a resumed run writes again."""
        if not self.silent and self.path.exists():
            lines = [json.dumps(row) + "\n" for row in read_log(self.path) if row["step"] <= step]
            write_text(self.path, "".join(lines))

    def _progress(self, step: int, sums: dict[str, float], rate: float) -> str:
        """One line; `rate` is in steps per second, told if the run has come forward."""
        loss = f"{sums['loss'] / sums['count']:.4g}" if "loss" in sums else self.shown.get("loss")
        words = [f"step {step:,} of {self.steps:,}"]
        if loss:
            words.append(f"loss {loss}")
        if rate > 0:
            left = tqdm.format_interval((self.steps - step) / rate)
            words += [f"{rate:.3g} steps/s", f"{left} left"]
        return ", ".join(words)

    def _show(self, step: int, row: dict[str, Any]) -> None:
        names = {"loss": "loss", "val_psnr_y": "dB", "val_lpips": "LPIPS"}
        self.shown |= {label: f"{row[name]:.4g}" for name, label in names.items() if name in row}
        self.bar.set_postfix(self.shown, refresh=False)
        if "val_psnr_y" in row and self.bar.disable:
            scores = ", ".join(f"{name} {value}" for name, value in row.items())
            logger.info("step %d: %s", step, scores)


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log, none if it is not there; a line that was cut short is passed over."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            logger.warning("%s: passed over a damaged line", path)


def write_run(out: Path, facts: dict[str, Any]) -> None:
    """Write `run.json`: the config, the data and the machine of a run."""
    text = json.dumps(facts, indent=2) + "\n"
    write_text(out / RUN_FILE, text)


def read_run(out: Path) -> dict:
    """What `run.json` says of a run.

    Raises:
        SRHubError: if the folder holds no run.
    """
    try:
        described = json.loads((out / RUN_FILE).read_text())
    except (OSError, ValueError):
        raise SRHubError(f"{out} holds no run: it has no {RUN_FILE}") from None
    if not isinstance(described, dict) or not {"config", "data"} <= described.keys():
        raise SRHubError(f"{out} holds no run: its {RUN_FILE} tells of something else")
    return described
