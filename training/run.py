"""A run on one process: its parts, and how its state gets to the disk and back."""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from torch import Tensor

from sr_hub.errors import SRHubError, first_line
from training.checkpoint import LAST_FILE, State, read_state, save_generator, save_state
from training.config import TrainConfig
from training.data import Pictures
from training.journal import Journal, write_run
from training.parallel import from_main
from training.parts import measured_since, parts_of
from training.recorded import RecordedStep
from training.steps import Context
from training.validation import Distance


@dataclass
class Run:
    """What a run learns from, where it writes and when it stops.

    `minutes` counts from `started`, a time of `time.monotonic`. `interrupted` says that Ctrl-C or
    a kill ended it. `recorded`, if there, takes the steps, as CUDA graphs. `facts` are what
    `run.json` shall say of it.
    """

    config: TrainConfig
    state: State
    context: Context
    data: Pictures
    val: Pictures
    out: Path
    accelerator: Accelerator
    minutes: float = math.inf
    lpips: Distance | None = None
    started: float = field(default_factory=time.monotonic)
    interrupted: bool = False
    recorded: RecordedStep | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.is_main = self.accelerator.is_main_process
        self.journal = Journal(self.out, steps=self.config.steps, silent=not self.is_main)
        self.told: dict[str, Any] = {}

    @property
    def out_of_time(self) -> bool:
        """Whether the minutes are over."""
        return time.monotonic() - self.started >= 60 * self.minutes

    @property
    def patience(self) -> int:
        """Steps in a row that are not finite, before the run is rolled back; 1 if recorded."""
        return 1 if self.recorded else self.config.patience

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """This process's patches of a step, on its device."""
        config, device = self.config, self.context.device
        lr, hr = self.data.batch(
            scale=self.state.generator.scale,
            patch=config.patch,
            size=config.batch,
            seed=config.seed,
            step=step,
            rank=self.accelerator.process_index,
            degradation=config.degradation,
        )
        return lr.to(device, non_blocking=True), hr.to(device, non_blocking=True)

    def note(self, text: str) -> None:
        """Put a line in words into the log, and say it."""
        self.journal.event(self.state.step, self.state.seconds, text)

    def write_description(self) -> None:
        """Write `run.json`, from the main process, unless it says so already."""
        if self.is_main and self.facts and self.facts != self.told:
            write_run(self.out, self.facts)
            self.told = self.facts

    def forget_other_best(self) -> None:
        """Let the best be chosen anew if it was chosen on other pictures, or measured otherwise."""
        if self.state.step <= measured_since(parts_of(self.facts)):
            self.state.best = {}

    def save(self) -> None:
        """Write the state and the averaged generator, from the main process."""
        if self.is_main:
            self.out.mkdir(parents=True, exist_ok=True)
            save_state(self.state, self.out / LAST_FILE)
            save_generator(self.state.ema, self.out / "model")
        self.accelerator.wait_for_everyone()

    def load(self) -> None:
        """Go back to the saved state, which the main process reads for all; cut the log there.

        Raises:
            SRHubError: if the state is damaged or that of another run.
        """
        path = self.out / LAST_FILE
        saved = from_main(self.accelerator, read_state(path) if self.is_main else None)
        try:
            self.state.load_state_dict(saved)
        except (RuntimeError, ValueError, KeyError, SRHubError) as error:
            raise SRHubError(f"{path} is not of this run: {first_line(error)}") from None
        self._keep_betas()
        self.forget_other_best()
        if self.recorded:
            self.recorded.forget()
        self.journal.cut(self.state.step)

    def _keep_betas(self) -> None:
        """Give the optimizers those of the config, in place of the saved ones."""
        for optimizer in self.state.optimizers:
            for group in optimizer.param_groups:
                if "betas" in group:
                    group["betas"] = self.config.betas
