"""What a run that goes on has other than before: what is refused, and what is said."""

import argparse
import dataclasses
import logging
from pathlib import Path

from sr_hub.errors import SRHubError
from training.config import TrainConfig
from training.description import describe
from training.journal import read_run
from training.parallel import from_main
from training.parts import Part, same_measure, same_pictures
from training.run import Run

logger = logging.getLogger(__name__)


def saved_config(out: Path, recipe: str) -> TrainConfig:
    """The config of the run in a folder.

    Raises:
        SRHubError: if there is none, or one of another recipe.
    """
    saved = read_run(out)
    if saved["recipe"] != recipe:
        raise SRHubError(f"{out} holds a run of {saved['recipe']}, not {recipe}")
    return TrainConfig(saved["config"]["architecture"]).changed(**saved["config"])


def check_changes(before: TrainConfig, now: TrainConfig, out: Path) -> None:
    """Say which settings a resumed run has other than before.

    Raises:
        SRHubError: if its optimizer is another, for which no state is saved.
    """
    if now.optimizer != before.optimizer:
        raise SRHubError(
            f"{out} is trained by optimizer={before.optimizer}, whose state does not fit "
            f"{now.optimizer}: begin another --out by it, with --start-from {out}/model"
        )
    for field in dataclasses.fields(TrainConfig):
        old, new = getattr(before, field.name), getattr(now, field.name)
        if old != new:
            logger.warning("resumed with another %s: %s, before %s", field.name, new, old)


def introduce(run: Run, options: argparse.Namespace, *, resumed: bool) -> None:
    """Give a run that is ready to start its facts, and say if a resumed one has other pictures.

    A new run writes them into `run.json` at once, a resumed one once it has taken a step.

    Raises:
        SRHubError: if a resumed run is past its last step, or the folder cannot be written.
    """
    if run.state.step > run.config.steps:
        raise SRHubError(
            f"--steps {run.config.steps}: {run.out} is at step {run.state.step} already, "
            "more steps go on from there"
        )
    before = read_run(run.out) if resumed else None
    run.facts = from_main(run.accelerator, describe(run, options, before))
    run.forget_other_best()
    if before is None:
        run.write_description()
    elif run.is_main:
        for text in _other_pictures(before, run.facts):
            logger.warning("resumed with %s", text)


def _other_pictures(before: Part, now: Part) -> list[str]:
    found = []
    if not same_pictures(before["data"], now["data"]):
        found.append("other training pictures")
    if not same_pictures(before["val"], now["val"]):
        found.append("other validation pictures: the best is chosen anew")
    elif not same_measure(before, now):
        found.append("another validation: the best is chosen anew")
    return found
