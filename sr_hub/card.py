"""Model cards: what the Hub and its readers are told about a checkpoint.

A card is a function of a Hub folder and of the stored results. Beside the config and the weights a
folder may hold

- `training.json`: how the weights came about; `TRAINING` lists its keys, each of them optional;
- `source.json`: where foreign weights came from, as `convert.py` writes it;
- `speed.json`: seconds and memory, as `bench` measures them;
- `comparison.png`: a picture by bicubic and by the model.

Results are those of `eval` for exactly these weights, found by their checksum. The text is
`model_card.md`, a Jinja template.
"""

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from sr_hub.errors import SRHubError
from sr_hub.files import write_text
from sr_hub.folder import SOURCE_FILE, SPEED_FILE, TRAINING_FILE, WEIGHTS_FILE
from sr_hub.front_matter import front_matter
from sr_hub.papers import papers_of
from sr_hub.provenance import sha256
from sr_hub.records import RESULTS, Measured, measured_by
from sr_hub.tables import LPIPS_DEFINITION, markdown_table, rows_of

TEMPLATE = Path(__file__).with_name("model_card.md")
PICTURE_FILE = "comparison.png"

TRAINING = {
    "recipe": "recipe",
    "start_from": "started from",
    "base_model": "started from (Hub id)",
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
"code_url", the address of a Git repository from which pip installs this package. A "base_model"
without an owner is of the owner of the card's repository. "losses" with a weight for "adversarial"
makes it the card of a GAN.
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

DATA_ENTRY = {"name": "not named", "pictures": None, "licences": None, "url": None}
"""What an entry of "data" says where it says nothing."""

SOURCE = {"file": "not named", "url": None, "layout": "not known", "sha256": "not known"}
"""What `source.json` says where it says nothing."""

SPEED = {"sha256", "hardware", "precision", "seconds_per_megapixel", "memory_bytes"}
"""What every entry of "speeds" in `speed.json` holds."""

BASELINE = "bicubic"


@dataclass(frozen=True)
class NetworkFacts:
    """What a card says about the network itself."""

    architecture: str
    module: str
    """Where the class is defined."""
    summary: str
    """One sentence."""
    scale: int
    arguments: dict[str, Any]
    parameters: int
    multiply_adds: int
    """For an output of `output_size`."""
    output_size: tuple[int, int]
    """Height and width."""
    declared: dict[str, Any]
    """Facts that its class states for all weights, like "license" and "tags"."""


def card_text(
    folder: Path,
    network: NetworkFacts,
    *,
    repo_id: str | None = None,
    results: Path = RESULTS,
) -> str:
    """The card of the checkpoint in `folder`, front matter and text.

    Args:
        folder: a Hub folder with weights.
        network: what its network says of itself.
        repo_id: the name by which readers load it; the folder's own name by default.
        results: folder with the JSON files of `eval`.

    Raises:
        SRHubError: if a JSON file of the folder cannot be read, or holds what is none of `KINDS`.
    """
    training, source = read_training(folder), read_facts(folder / SOURCE_FILE)
    repo_id = repo_id or folder.resolve().name
    name = repo_id.rsplit("/", 1)[-1]
    weights = folder / WEIGHTS_FILE
    checksum = sha256(weights)
    measured = measured_by(checksum, results)
    losses = training.get("losses", {})
    is_gan = bool(losses.get("adversarial"))
    facts = {**network.declared, **source, **training}
    degradation = training.get("degradation")
    values = {
        "front_matter": front_matter(
            repo_id, network.architecture, network.scale, facts, measured
        ).to_yaml(),
        "name": name,
        "repo_id": repo_id,
        "network": network,
        "is_ours": network.module.startswith(f"{__package__}."),
        "code_url": facts.get("code_url"),
        "arguments": ", ".join(f"{key}={value!r}" for key, value in network.arguments.items()),
        "about": training.get("about"),
        "picture": PICTURE_FILE if (folder / PICTURE_FILE).is_file() else None,
        "is_gan": is_gan,
        "losses": losses,
        "source": source and SOURCE | source,
        "training": [
            (TRAINING[key], plain_fact(training[key])) for key in TRAINING if key in training
        ],
        "data": [DATA_ENTRY | entry for entry in training.get("data", [])],
        "commands": training.get("command", "").split("; ") if training.get("command") else [],
        "degradation": DEGRADATIONS.get(degradation, degradation),
        "is_robust": degradation == "real",
        "license_text": _license_text(facts),
        "measured": measured,
        "lpips": LPIPS_DEFINITION if any(each.has_lpips for each in measured) else None,
        "tables": [_table(each, protocol) for each in measured for protocol in each.protocols],
        "checksum": checksum,
        "speeds": [row for row in read_speeds(folder) if row["sha256"] == checksum],
        "megabytes": weights.stat().st_size / 1e6,
        "papers": papers_of(network.architecture, is_gan=is_gan),
        "cites_report": not source and network.module.startswith(f"{__package__}."),
    }
    return _template().render(values)


def _table(measured: Measured, protocol: str) -> dict[str, str]:
    """The rows of the baseline and of the model on every benchmark, as one Markdown table."""
    lines: list[str] = []
    for dataset in measured.results["datasets"]:
        rows = [
            row
            for row in rows_of(measured.results, dataset, protocol)
            if row.model in (BASELINE, measured.name)
        ]
        if rows:
            head, rule, *body = markdown_table(rows, protocol).splitlines()
            lines = lines or [f"| set {head}", f"|---{rule}"]
            lines += [f"| {dataset} {line}" for line in body]
    definition = measured.results["protocols"][protocol]
    return {"protocol": protocol, "definition": definition, "text": "\n".join(lines)}


def _license_text(facts: dict[str, Any]) -> str:
    if not facts.get("license"):
        return "not stated"
    link = facts.get("license_link")
    return f"[{facts['license']}]({link})" if link else facts["license"]


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


def read_speeds(folder: Path) -> list[dict[str, Any]]:
    """The measurements in the `speed.json` of a Hub folder; none if it is not there.

    Raises:
        SRHubError: if the file holds something else.
    """
    path = folder / SPEED_FILE
    rows = read_facts(path).get("speeds", [])
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and row.keys() >= SPEED for row in rows
    ):
        raise SRHubError(f'{path}: "speeds" is not a list of what `bench --store` writes')
    return rows


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
            reads, or hold what is none of `KINDS`.
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


def _check_kinds(facts: dict[str, Any], where: object) -> None:
    for key, (kind, description) in KINDS.items():
        if key in facts and not isinstance(facts[key], kind):
            raise SRHubError(f'{where}: "{key}" is {facts[key]!r}, not {description}')
    for key, (kind, description) in ITEMS.items():
        value = facts.get(key, ())
        for item in value.values() if isinstance(value, dict) else value:
            if not isinstance(item, kind):
                raise SRHubError(f'{where}: "{key}" holds {item!r}, not {description}')


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # Markdown, not HTML
    )
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
