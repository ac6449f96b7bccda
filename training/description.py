"""What `run.json` says of a run: how it was made, from what, and on which machine."""

import argparse
import dataclasses
import datetime
import hashlib
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from sr_hub.folder import name_of
from sr_hub.models.interpolation import Interpolation
from sr_hub.provenance import hardware
from training.data import Pictures
from training.parts import Part, with_part
from training.run import Run
from training.validation import mean_psnr

SAMPLES = 4096
"""Pixels, evenly spread over all pictures, that tell them from others of their names and sizes."""


def describe(run: Run, options: argparse.Namespace, before: Part | None = None) -> dict[str, Any]:
    """What a reader of the results must know, of a run that goes on from what it was `before`."""
    part = describe_part(run, options)
    if before is None:
        return part
    return with_part(before, {**part, "start_from": before.get("start_from")})


def describe_part(run: Run, options: argparse.Namespace) -> Part:
    """Recipe, config, data and machine of the run from this step on."""
    device = run.accelerator.device
    return {
        "recipe": options.recipe,
        "from_step": run.state.step,
        "command": f"python -m training.train {shlex.join(map(_word, sys.argv[1:]))}",
        "start_from": _origin(options),
        "commit": _commit(),
        "config": dataclasses.asdict(run.config),
        "parameters": run.state.generator.num_parameters,
        "data": {
            "name": options.data.resolve().name,
            **_facts_of(run.data),
        },
        "val": {**_facts_of(run.val), "learned_from": run.val.learned},
        "machine": hardware(device),
        "processes": run.accelerator.num_processes,
        "torch": torch.__version__,
        "precision": "bf16" if run.context.autocast else "fp32",
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def opening(run: Run) -> str:
    """What a run is when it starts, and the score that it has to beat; or that it has ended."""
    facts, config, where = run.facts, run.config, run.context.device.type
    step = f"step {run.state.step:,} of {config.steps:,}"
    if run.state.step == config.steps:
        return f"{run.out} is at its end: {step}; --steps N goes on"
    bicubic = Interpolation(scale=run.state.generator.scale)
    score = mean_psnr(bicubic, run.val, config)
    return (
        f"{facts['recipe']}: {facts['parameters']:,} parameters, {len(run.data):,} pictures, "
        f"{facts['precision']} on {where}, {step}; "
        f"bicubic scores {score:.2f} dB on the {len(run.val):,} validation pictures"
    )


def _facts_of(pictures: Pictures) -> dict[str, Any]:
    return {
        "pictures": len(pictures),
        "skipped": pictures.skipped,
        "fingerprint": fingerprint(pictures),
    }


def fingerprint(pictures: Pictures) -> str:
    """The same for the same pictures in any folder: by their names, sizes and some pixels."""
    every = max(1, len(pictures.pixels) // SAMPLES)
    names = [Path(name).name for name in pictures.names]
    digest = hashlib.sha256(repr((names, pictures.sizes.tolist())).encode())
    digest.update(pictures.pixels[::every].cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _word(argument: str) -> str:
    """An argument as others may read it: an absolute path, also behind a =, by its last name."""
    name, equals, value = argument.rpartition("=")
    return f"{name}{equals}{Path(value).name}" if Path(value).is_absolute() else argument


def _origin(options: argparse.Namespace) -> str | None:
    """Whose weights a new run begins with, and of whose it takes what fits."""
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
