"""What is told of a network that was made of others: how these were trained, and what was done."""

from pathlib import Path
from typing import Any

from sr_hub.base import SRModel
from sr_hub.bundled import hub_folder
from sr_hub.facts import read_training
from sr_hub.folder import TRAINING_FILE, name_of, run_around
from training.push import told_of_run

LICENCE = ("license", "license_name", "license_link")
"""Facts about what may be done with weights."""


def called(model: str) -> str:
    """What cards call a model: its bundled name or Hub id, or its folder, by its last name."""
    return name_of(Path(model)) if Path(model).is_dir() else model


def facts_of(model: str) -> dict[str, Any]:
    """How a model was trained, by its `training.json` or the run it lies in; empty if unknown.

    Raises:
        SRHubError: if what is told cannot be read.
    """
    folder = hub_folder(model)
    run = run_around(folder)
    return told_of_run(run, folder.resolve().name)[0] if run else read_training(folder)


def facts_of_all(models: list[str], command: str) -> dict[str, Any]:
    """What holds for a network that `command` makes of `models`, for `save_made`.

    Losses are merged, and the weight of a later model wins. They are left out if a model states
    none, unless a stated one is adversarial. The licence is kept only if it is the same for all.

    Raises:
        SRHubError: if what is told of a model cannot be read.
    """
    sources = [facts_of(model) for model in models]
    facts: dict[str, Any] = {
        name: " and ".join(dict.fromkeys(texts))
        for name in ("recipe", "batch")
        if (texts := _texts(sources, name))
    }
    losses = [source["losses"] for source in sources if isinstance(source.get("losses"), dict)]
    together = {name: weight for each in losses for name, weight in each.items()}
    if together.get("adversarial") or len(losses) == len(sources):
        facts["losses"] = together
    degradations = _texts(sources, "degradation")
    if len(degradations) == len(sources) and len(set(degradations)) == 1:
        facts["degradation"] = degradations[0]
    first, *others = ({n: it[n] for n in LICENCE if n in it} for it in sources)
    if all(other == first for other in others):
        facts |= first
    data = [entry for source in sources for entry in source.get("data", [])]
    facts["data"] = [entry for index, entry in enumerate(data) if entry not in data[:index]]
    facts["command"] = "; ".join([*_without_beginnings(_texts(sources, "command")), command])
    return facts


def save_made(model: SRModel, out: Path, facts: dict[str, Any]) -> None:
    """Write a Hub folder with `facts` alone: what was told of other weights there goes.

    Raises:
        SRHubError: if it cannot be written.
        OSError: if what was there cannot be taken away.
    """
    (out / TRAINING_FILE).unlink(missing_ok=True)
    model.save_pretrained(out, facts=facts)


def _without_beginnings(commands: list[str]) -> list[str]:
    """Each command once; none that another one, of a model that went on from it, begins with."""
    each = dict.fromkeys(commands)
    return [one for one in each if not any(it.startswith(f"{one}; ") for it in each)]


def _texts(sources: list[dict[str, Any]], name: str) -> list[str]:
    return [source[name] for source in sources if isinstance(source.get(name), str)]
