"""Two claims as a table: RRIM against SRResNet, and RRIM-GAN against SRGAN.

`python -m training.experiments.claims` prints Markdown, or writes it with `--out FILE`. The scores
are the stored ones of `eval`, the costs those of the networks, and how long and to what loss each
was trained is what its `training.json` says. Scores have a digit more than in the tables of
results; one of the challenger is bold where it is better, and where it is not is said below. LPIPS
is the same under every protocol, and PSNR and SSIM are under `rgb` and `report`: what has been said
once is left out, and counted once.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from sr_hub.bundled import bundled_models
from sr_hub.card import read_facts
from sr_hub.errors import SRHubError
from sr_hub.files import write_text
from sr_hub.folder import TRAINING_FILE
from sr_hub.models import load_model
from sr_hub.records import RESULTS, read_results
from sr_hub.tables import HIGHER_IS_BETTER, columns_of, rows_of
from training.command import command

CLAIMS = (
    ("RRIM against SRResNet", "srresnet-x4", "rrim-x4"),
    ("RRIM-GAN against SRGAN", "srgan-x4", "rrim-gan-x4"),
)
"""Title, the network of the literature, the network of the main report."""

COLUMNS = ("psnr", "ssim", "fsim", "rmse", "lpips")

TRAINING = {
    "steps": "training: steps",
    "cpu_seconds": "training: CPU-seconds",
    "gpu_seconds": "training: GPU-seconds",
    "seconds_per_epoch": "training: seconds per epoch of 200 steps, of the last run",
    "batch": "training: batch of the last run",
    "hardware": "training: hardware",
    "loss": "training: loss at the end",
}


@command
def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0, or 2 with one line on stderr if something is not there."""
    parser = argparse.ArgumentParser(
        prog="python -m training.experiments.claims", description=__doc__
    )
    add = parser.add_argument
    add("--results", type=Path, default=RESULTS / "x4.json", help="JSON file of `eval`")
    add("--out", type=Path, help="Markdown file to write; printed if left out")
    options = parser.parse_args(arguments)
    results = read_results(options.results)
    text = "\n".join(claim_text(results, *claim) for claim in CLAIMS)
    if options.out:
        write_text(options.out, text)
    else:
        sys.stdout.write(text)
    return 0


def claim_text(results: dict[str, Any], title: str, known: str, challenger: str) -> str:
    """One claim as Markdown: what both cost, what both score, and where the challenger is behind.

    Raises:
        SRHubError: if one of the two is not bundled or was not measured.
    """
    for name in (known, challenger):
        if name not in results["models"] or name not in bundled_models():
            raise SRHubError(f"there is no {name}, or the results do not have it")
    scores, lost = _scores(results, known, challenger)
    wins = scores.count("**") // 2
    said = f"{challenger} is better in {wins} of {wins + len(lost)} numbers"
    rest = f"; not in {', '.join(lost)}" if lost else ""
    return f"## {title}\n\n{_costs(results, known, challenger)}\n{scores}\n{said}{rest}.\n"


def _costs(results: dict[str, Any], *names: str) -> str:
    facts = {name: load_model(name).facts() for name in names}
    training = {name: read_facts(bundled_models()[name] / TRAINING_FILE) for name in names}
    size = " x ".join(str(side) for side in facts[names[0]].output_size)
    rows = {
        "parameters": [f"{facts[name].parameters:,}" for name in names],
        f"multiply-adds, to {size}": [f"{facts[n].multiply_adds / 1e9:.1f} G" for n in names],
    }
    for dataset in results["datasets"]:
        seconds = {s["model"]: s["mean"] for s in results["seconds"] if s["dataset"] == dataset}
        rows[f"seconds per picture of {dataset}, float32"] = [f"{seconds[n]:.3f}" for n in names]
    for key, label in TRAINING.items():
        if any(key in training[name] for name in names):
            rows[label] = [f"{training[name].get(key, _unsaid(key))}" for name in names]
    lines = [f"| | {' | '.join(names)} |", "|---|---:|---:|"]
    lines += [f"| {label} | {' | '.join(cells)} |" for label, cells in rows.items()]
    return "\n".join(lines) + "\n"


def _unsaid(key: str) -> str:
    """What a row says of a training without such an entry: only some had a GPU."""
    return "none" if key == "gpu_seconds" else "not known"


def _scores(results: dict[str, Any], known: str, challenger: str) -> tuple[str, list[str]]:
    """The table of scores, and the numbers in which the challenger is not better; each once."""
    lines, lost, seen = [], [], set()
    for dataset in results["datasets"]:
        for protocol in results["protocols"]:
            rows = rows_of(results, dataset, protocol)
            pair = [row for name in (known, challenger) for row in rows if row.model == name]
            columns = [column for column in COLUMNS if column in columns_of(pair)]
            if len(pair) < 2:
                continue
            if not lines:
                lines = [
                    "| set | protocol | " + " | ".join(map(str.upper, columns)) + " |",
                    "|---|---|" + "---:|" * len(columns),
                ]
            values = {column: [row.values[column] for row in pair] for column in columns}
            new = [c for c in columns if (dataset, c, *values[c]) not in seen]
            seen |= {(dataset, column, *values[column]) for column in columns}
            better = {column for column in new if _is_better(column, *values[column])}
            lost += [f"{dataset} {protocol} {c.upper()}" for c in new if c not in better]
            cells = [_cell(c, *values[c], c in better) if c in new else "" for c in columns]
            lines.append(f"| {dataset} | {protocol} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n", lost


def _is_better(column: str, known: float, challenger: float) -> bool:
    return challenger > known if column in HIGHER_IS_BETTER else challenger < known


def _cell(column: str, known: float, challenger: float, better: bool) -> str:
    digits = 3 if column == "psnr" else 5
    mark = "**" if better else ""
    return f"{known:.{digits}f} → {mark}{challenger:.{digits}f}{mark}"


if __name__ == "__main__":
    sys.exit(main())
