"""The models of a table: found by name, with what the JSON has to say of each."""

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sr_hub import provenance
from sr_hub.base import SRModel
from sr_hub.bundled import bundled_models
from sr_hub.errors import SRHubError
from sr_hub.files import is_folder
from sr_hub.folder import WEIGHTS_FILE, name_of, read_config
from sr_hub.hub import fetch
from sr_hub.interpolate import load_with_fidelity, pair_of, split_fidelity
from sr_hub.models import BASELINES, Interpolation, load_model
from sr_hub.upscaler import Precision, Upscaler


@dataclass(frozen=True)
class Contestant:
    """A model in a table."""

    name: str
    run: Callable[[Tensor], Tensor]
    """(1, 3, H, W) to (1, 3, scale * H, scale * W), both RGB in [0, 1]."""
    facts: dict[str, Any]
    """What the JSON says of it: origin, architecture, config, parameters, revision, sha256."""


def default_names(scale: int) -> list[str]:
    """Both forms of bicubic, and every bundled model of that scale."""
    bundled = [n for n, folder in bundled_models().items() if read_config(folder)["scale"] == scale]
    return ["bicubic", "bicubic-opencv", *bundled]


def load_contestants(
    names: Sequence[str],
    scale: int,
    *,
    device: str = "auto",
    precision: Precision = "fp32",
    ensemble: bool = False,
    consistent: bool = False,
) -> list[Contestant]:
    """The models of those names, ready to run.

    Args:
        names: interpolations ("bicubic"), and what `Upscaler` takes: bundled models, with a
            fidelity too, Hub folders, Hub ids ("user/repo", or "user/repo@revision").
        scale: the enlargement factor that all of them must have.
        device: as `Upscaler` has it.
        precision: as `Upscaler` has it; tables are made in "fp32".
        ensemble: as `Upscaler` has it, for networks with weights; their names get a plus.
        consistent: likewise; the word is put behind their names.

    Raises:
        SRHubError: if there is no such model or device, or it enlarges by another factor.
    """
    where = {"device": device, "precision": precision}
    how = {"ensemble": ensemble, "consistent": consistent}
    return [_load(name, scale, where, how) for name in names]


def _load(name: str, scale: int, where: dict[str, Any], how: dict[str, bool]) -> Contestant:
    if name in BASELINES:
        model: SRModel = Interpolation(scale=scale, mode=name)
        facts = {"origin": "interpolation", "config": {"scale": scale, "mode": name}}
    elif mixed := split_fidelity(name):
        model = load_with_fidelity(*mixed)
        facts = _facts_of_pair(mixed[0]) | {"fidelity": mixed[1], "config": model.arguments}
    else:
        folder, facts = _find(name)
        model = load_model(folder)
        facts["config"] = {k: v for k, v in read_config(folder).items() if k != "architecture"}
        facts["sha256"] = provenance.sha256(folder / WEIGHTS_FILE)
    if model.scale != scale:
        raise SRHubError(f"{name} enlarges by {model.scale}, not by {scale}")
    facts |= {"architecture": type(model).__name__, "parameters": model.num_parameters}
    shown = display_name(name)
    how = how if model.num_parameters else {}
    shown += "+" if how.get("ensemble") else ""
    shown += " consistent" if how.get("consistent") else ""
    upscaler = Upscaler(model, name=shown, **where, **how)
    facts |= {"precision": upscaler.precision, "ensemble": upscaler.ensemble}
    facts |= {"consistent": upscaler.consistent}
    _warm_up(upscaler)
    return Contestant(shown, upscaler.run, facts)


def _facts_of_pair(name: str) -> dict[str, Any]:
    folders = {each: bundled_models()[each] for each in pair_of(name)}
    sums = {each: provenance.sha256(folder / WEIGHTS_FILE) for each, folder in folders.items()}
    return {"origin": "interpolated weights", "checkpoints": sums}


def _warm_up(upscaler: Upscaler) -> None:
    """Do what is done once per model, so that no picture's seconds contain it."""
    upscaler.tiles(1024, 1024, upscaler.precision)
    upscaler.run(torch.zeros(1, 3, 16, 16))


def _find(name: str) -> tuple[Path, dict[str, Any]]:
    """The Hub folder behind a name, and its origin; downloads it if it is a Hub id."""
    if name in bundled_models():
        return bundled_models()[name], {"origin": "bundled"}
    repository = name.partition("@")[0]
    if is_folder(name) or repository.count("/") != 1:
        return Path(name), {"origin": "folder"}
    folder = fetch(name)
    return folder, {"origin": "hub", "repository": repository, "revision": folder.name}


def display_name(name: str) -> str:
    """What a table calls a model: of a local folder not the whole path."""
    path = Path(name)
    return name_of(path) if name not in bundled_models() and is_folder(path) else name


def command_line(data: Iterable[Path], models: Iterable[str], options: Iterable[str]) -> str:
    """The command behind a result; of folders not the whole path, which is the user's."""
    words = ["python", "-m", "sr_hub", "eval"]
    for folder in data:
        words += ["--data", folder.resolve().name]
    return shlex.join([*words, "--models", ",".join(map(display_name, models)), *options])
