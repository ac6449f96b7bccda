"""What `run.json` says of a run: how it was made, from what, and on which machine."""

import argparse
import dataclasses
import datetime
import subprocess
import sys
from pathlib import Path

import torch

from sr_hub.folder import name_of
from sr_hub.provenance import hardware
from training.checkpoint import LAST_FILE
from training.journal import read_run
from training.run import Run


def describe(run: Run, options: argparse.Namespace) -> dict:
    """What a reader of the results must know: recipe, config, data, machine."""
    device = run.accelerator.device
    return {
        "recipe": options.recipe,
        "command": " ".join(["python -m training.train", *map(_word, sys.argv[1:])]),
        "start_from": _origin(options),
        "commit": _commit(),
        "config": dataclasses.asdict(run.config),
        "parameters": run.state.generator.num_parameters,
        "data": {
            "name": options.data.resolve().name,
            "pictures": len(run.data),
            "skipped": run.data.skipped,
        },
        "val": {
            "pictures": len(run.val),
            "skipped": run.val.skipped,
            "learned_from": run.val.learned,
        },
        "machine": hardware(device),
        "processes": run.accelerator.num_processes,
        "torch": torch.__version__,
        "precision": "bf16" if run.context.autocast else "fp32",
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _word(argument: str) -> str:
    """An argument as others may read it: an absolute path by its last name."""
    return Path(argument).name if Path(argument).is_absolute() else argument


def _origin(options: argparse.Namespace) -> str | None:
    """Whose weights the run began with, and of whose it took what fits; a resumed run keeps it."""
    if options.resume and (options.out / LAST_FILE).exists():
        return read_run(options.out).get("start_from")
    origins = []
    if options.start_from:
        origins.append(_run_of(options.start_from))
    if options.init_from:
        is_folder = Path(options.init_from).is_dir()
        name = _run_of(Path(options.init_from)) if is_folder else options.init_from
        origins.append(f"what fits of {name}")
    return ", then ".join(origins) or None


def _run_of(folder: Path) -> str:
    """The name of the run that a Hub folder lies in, or the folder's own."""
    return name_of(folder).removesuffix(f"/{folder.resolve().name}")


def _commit() -> str | None:
    """The commit of this code, if it lies in a git repository."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    try:
        found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    except OSError:
        return None
    return found.stdout.strip() or None
