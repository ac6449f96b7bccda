"""What is known of weights: `training.json` of a Hub folder, and `facts` that a user gives."""

import difflib
import json
from pathlib import Path
from typing import Any

from sr_hub.errors import SRHubError
from sr_hub.files import write_text
from sr_hub.folder import TRAINING_FILE
from sr_hub.hub import is_repo_id

TRAINING = {
    "recipe": "recipe",
    "start_from": "started from",
    "base_model": "base model",
    "steps": "steps",
    "hours": "hours",
    "cpu_seconds": "CPU-seconds",
    "gpu_seconds": "GPU-seconds",
    "hardware": "hardware",
    "batch": "batch",
    "losses": "losses, with their weights",
    "losses_on_the_way": "losses on the way there",
    "loss": "loss at the end",
    "seconds_per_epoch": "seconds for 200 steps",
    "seed": "seed",
    "validation": "validation",
    "commit": "commit of the code",
}
"""Keys of `training.json` and what a card calls them.

More keys: "about", a sentence or two on this checkpoint; "command", what was run, parts of it
separated by semicolons; "data", a list of {"name", "pictures", "licences", "url"}; "datasets", Hub
ids of them; "license" and "license_link" of the weights; "tags" and "language", for the search of
the Hub; "degradation", how the small pictures were made, by its name in `DEGRADATIONS` or in words;
"code_url", the address of a Git repository from which pip installs this package. The Hub links a
"base_model" that is a Hub id, "user/repo"; a bare name stands in the text alone. "losses" with a
weight for "adversarial" makes it the card of a GAN.
"""

DEGRADATIONS = {
    "bicubic": "the antialiased bicubic of the literature",
    "real": "blur, resizing, noise and JPEG of random strength, each left out now and then",
}

KEYS = {
    *TRAINING,
    "about",
    "code_url",
    "command",
    "data",
    "datasets",
    "degradation",
    "language",
    "library_name",
    "license",
    "license_link",
    "license_name",
    "pipeline_tag",
    "tags",
}
"""All keys of `training.json`."""

KINDS = {
    "about": (str, "a text"),
    "base_model": (str, "a text"),
    "command": (str, "a text"),
    "data": (list, "a list of objects"),
    "datasets": (str | list, "a text or a list of texts"),
    "degradation": (str, "a text"),
    "language": (str | list, "a text or a list of texts"),
    "license": (str, "a text"),
    "losses": (dict, "an object of numbers"),
    "tags": (list, "a list of texts"),
}
"""What some of these keys must hold, for a card to be made of it."""

ITEMS = {
    "data": (dict, 'objects like {"name": "x"}'),
    "datasets": (str, "texts"),
    "language": (str, "texts"),
    "losses": (int | float, "numbers"),
    "tags": (str, "texts"),
}
"""What must be in those of them that hold several."""


def plain_fact(value: object) -> str:
    """A value of `training.json` as a card has it."""
    if isinstance(value, dict):
        items = [(k, f"{v:g}" if isinstance(v, int | float) else v) for k, v in value.items()]
        return ", ".join(f"{key} {item}" for key, item in items)
    return f"{value:,}" if isinstance(value, int) else str(value)


def read_facts(path: Path) -> dict[str, Any]:
    """What a JSON file of a Hub folder says; nothing if it is not there.

    Raises:
        SRHubError: if it is not a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise SRHubError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(content, dict):
        raise SRHubError(f"{path} is not a JSON object")
    return content


def read_training(folder: Path) -> dict[str, Any]:
    """What the `training.json` of a Hub folder says; nothing if it is not there.

    Raises:
        SRHubError: if it is not a JSON object, or holds what is none of `KINDS`.
    """
    training = read_facts(folder / TRAINING_FILE)
    _check_kinds(training, folder / TRAINING_FILE)
    return training


def add_facts(folder: Path, facts: dict[str, Any]) -> None:
    """Put `facts` into the `training.json` of a Hub folder, over what it says under these keys.

    Raises:
        SRHubError: as `check_facts`, or if the file cannot be read or written.
    """
    check_facts(facts)
    path = folder / TRAINING_FILE
    write_text(path, json.dumps({**read_facts(path), **facts}, indent=2) + "\n")


def check_facts(facts: dict[str, Any]) -> None:
    """Refuse what is not for `training.json`.

    Raises:
        SRHubError: if `facts` are not plain JSON with finite numbers, have a key that no card
            reads, or hold what is none of `KINDS` or a "base_model" that is no Hub id.
    """
    try:
        json.dumps({**facts}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SRHubError(f"facts are a dict of plain JSON values: {error}") from None
    for key in facts:
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(KEYS))}"
            raise SRHubError(f"facts: no key {key!r} is known; {hint}")
    _check_kinds(facts, "facts")
    if "base_model" in facts and not is_repo_id(facts["base_model"]):
        raise SRHubError(
            f'facts: "base_model" is {facts["base_model"]!r}, not a Hub id like user/repo; '
            '"start_from" takes any words'
        )


def _check_kinds(facts: dict[str, Any], where: object) -> None:
    for key, (kind, description) in KINDS.items():
        if key in facts and not isinstance(facts[key], kind):
            raise SRHubError(f'{where}: "{key}" is {facts[key]!r}, not {description}')
    for key, (kind, description) in ITEMS.items():
        value = facts.get(key, ())
        for item in value.values() if isinstance(value, dict) else value:
            if not isinstance(item, kind):
                raise SRHubError(f'{where}: "{key}" holds {item!r}, not {description}')
