"""Model cards: what the Hub and its readers are told about a checkpoint.

A card is a function of a Hub folder and of the stored results. Beside the config and the weights a
folder may hold

- `training.json`: how the weights came about, as `facts.py` says;
- `source.json`: where foreign weights came from, as `convert.py` writes it;
- `speed.json`: seconds and memory, as `bench` measures them;
- `comparison.png`: a picture by bicubic and by the model.

Results are those of `eval` for exactly these weights, found by their checksum. The text is
`model_card.md`, a Jinja template.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from huggingface_hub import ModelCard

from sr_hub.errors import SRHubError, first_line
from sr_hub.facts import DEGRADATIONS, TRAINING, plain_fact, read_facts, read_training
from sr_hub.folder import SOURCE_FILE, SPEED_FILE, WEIGHTS_FILE
from sr_hub.front_matter import front_matter
from sr_hub.papers import papers_of
from sr_hub.provenance import sha256
from sr_hub.records import RESULTS, Measured, measured_by
from sr_hub.tables import LPIPS_DEFINITION, markdown_table, rows_of

TEMPLATE = Path(__file__).with_name("model_card.md")
PICTURE_FILE = "comparison.png"

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
    """Facts that its class states for all weights, like "license", "tags" and "repo_url"."""
    template: str | None = None
    """Its class's own Jinja template of a card, in place of `model_card.md`."""


def card_text(
    folder: Path,
    network: NetworkFacts,
    *,
    repo_id: str | None = None,
    results: Path = RESULTS,
    stated: dict[str, Any] | None = None,
    card_values: dict[str, Any] | None = None,
) -> str:
    """The card of the checkpoint in `folder`, front matter and text.

    Args:
        folder: a Hub folder with weights.
        network: what its network says of itself.
        repo_id: the name by which readers load it; the folder's own name by default.
        results: folder with the JSON files of `eval`.
        stated: facts that hold where neither the network's class nor the folder says anything else.
        card_values: what the template of the network's own class asks for besides.

    Raises:
        SRHubError: if a JSON file of the folder cannot be read or holds something else, or the
            template of the class has a mistake.
    """
    if card_values and network.template is None:
        raise SRHubError(
            f"model_card_kwargs fill a model_card_template, and {network.architecture} has none: "
            'what is known of the weights goes into facts, like facts={"license": "mit"}'
        )
    training, source = read_training(folder), read_facts(folder / SOURCE_FILE)
    repo_id = repo_id or folder.resolve().name
    name = repo_id.rsplit("/", 1)[-1]
    weights = folder / WEIGHTS_FILE
    checksum = sha256(weights)
    measured = measured_by(checksum, results)
    losses = training.get("losses", {})
    is_gan = bool(losses.get("adversarial"))
    facts = _over_each_other(stated or {}, network.declared, source, training)
    degradation = training.get("degradation")
    metadata = front_matter(repo_id, network.architecture, network.scale, facts, measured)
    values = {
        "front_matter": metadata.to_yaml(),
        "name": name,
        "repo_id": repo_id,
        "network": network,
        "is_ours": network.module.startswith(f"{__package__}."),
        **{key: facts.get(key) for key in ("code_url", "repo_url", "docs_url", "paper_url")},
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
    if network.template is None:
        return _template().render(values)
    try:
        card = ModelCard.from_template(
            metadata, template_str=network.template, **{**values, **(card_values or {})}
        )
    except (jinja2.TemplateError, TypeError, ValueError) as error:
        raise SRHubError(
            f"model_card_template of {network.architecture}: {first_line(error)}"
        ) from None
    return str(card)


def _over_each_other(*layers: dict[str, Any]) -> dict[str, Any]:
    """What the last layer says of each key; the name and the link of a licence are of its own."""
    facts: dict[str, Any] = {}
    for layer in layers:
        if "license" in layer:
            facts = {k: v for k, v in facts.items() if k not in ("license_name", "license_link")}
        facts |= layer
    return facts


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


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # Markdown, not HTML
    )
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
