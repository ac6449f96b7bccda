"""Two claims as a table: RRIM against SRResNet, and RRIM-GAN against SRGAN.

`python -m training.experiments.claims` prints Markdown, or writes it with `--out FILE`. The scores
are the stored ones of `eval`, the costs those of the networks, and how long and to what loss each
was trained is what its `training.json` says. Scores have a digit more than in the tables of
results; one of the challenger is bold where it is better. In brackets is how sure that is: its lead
in standard errors over the pictures of the set (`leads.py`). LPIPS is the same under every
protocol, and PSNR, SSIM and, but for its unit, RMSE are under `rgb` and `report`: what has been
said once is left out, and counted once.
"""

import argparse
import sys
from dataclasses import dataclass
from itertools import groupby, product
from pathlib import Path
from typing import Any

from sr_hub.bundled import bundled_models
from sr_hub.errors import SRHubError
from sr_hub.facts import read_facts
from sr_hub.files import write_text
from sr_hub.folder import TRAINING_FILE
from sr_hub.metrics import REPORT_PEAK, Protocol
from sr_hub.models import load_model
from sr_hub.records import RESULTS, read_results
from training.command import command
from training.experiments.leads import SURE, gain, lead

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
    numbers = _numbers(results, known, challenger)
    said = _verdict(challenger, numbers)
    return f"## {title}\n\n{_costs(results, known, challenger)}\n{_table(numbers)}\n{said}\n"


def _costs(results: dict[str, Any], *names: str) -> str:
    facts = {name: load_model(name).network_facts() for name in names}
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


@dataclass(frozen=True)
class Number:
    """One metric of both networks on one set under one protocol."""

    dataset: str
    protocol: str
    metric: str
    known: float
    challenger: float
    sure: float
    """The challenger's lead in standard errors; below 0 where it is behind."""

    @property
    def name(self) -> str:
        """Such as "Set5 y PSNR"."""
        return f"{self.dataset} {self.protocol} {self.metric.upper()}"

    @property
    def is_better(self) -> bool:
        """Whether the challenger's mean is better, by however little."""
        return gain(self.metric, self.challenger, self.known) > 0

    @property
    def cell(self) -> str:
        """Both means, the challenger's bold where it is better, and how sure that is."""
        digits = 3 if self.metric == "psnr" else 5
        mark = "**" if self.is_better else ""
        ours = f"{mark}{self.challenger:.{digits}f}{mark}"
        return f"{self.known:.{digits}f} → {ours} ({self.sure:+.1f})"


def _numbers(results: dict[str, Any], known: str, challenger: str) -> list[Number]:
    """What both were measured by, each once."""
    stored = {(r["dataset"], r["protocol"], r["model"]): r for r in results["results"]}
    numbers, seen = [], set()
    for dataset, protocol in product(results["datasets"], results["protocols"]):
        theirs, ours = (stored.get((dataset, protocol, name)) for name in (known, challenger))
        if not theirs or not ours:
            continue
        for metric in COLUMNS:
            if metric not in ours["mean"] or metric not in theirs["mean"]:
                continue
            unit = REPORT_PEAK / 255 if (protocol, metric) == (Protocol.REPORT, "rmse") else 1
            means = theirs["mean"][metric], ours["mean"][metric]
            key = (dataset, metric, *(f"{unit * mean:.5g}" for mean in means))
            if key not in seen:
                pictures = zip(theirs["pictures"][metric], ours["pictures"][metric], strict=True)
                _, sure = lead([gain(metric, new, old) for old, new in pictures])
                numbers.append(Number(dataset, protocol, metric, *means, sure))
            seen.add(key)
    return numbers


def _table(numbers: list[Number]) -> str:
    columns = [column for column in COLUMNS if any(n.metric == column for n in numbers)]
    lines = [
        "| set | protocol | " + " | ".join(map(str.upper, columns)) + " |",
        "|---|---|" + "---:|" * len(columns),
    ]
    for (dataset, protocol), row in groupby(numbers, lambda n: (n.dataset, n.protocol)):
        cells = {number.metric: number.cell for number in row}
        line = " | ".join(cells.get(column, "") for column in columns)
        lines.append(f"| {dataset} | {protocol} | {line} |")
    return "\n".join(lines) + "\n"


def _verdict(challenger: str, numbers: list[Number]) -> str:
    """In how many numbers the challenger is better, and in which that is sure."""
    better = sum(number.is_better for number in numbers)
    said = [f"{challenger} is better in {better} of {len(numbers)} numbers."]
    surely = {
        "better": [number.name for number in numbers if number.sure >= SURE],
        "worse": [number.name for number in numbers if number.sure <= -SURE],
    }
    for word, names in surely.items():
        which = f": {', '.join(names)}" if names else ""
        said.append(f"{word.capitalize()} by {SURE} standard errors or more: {len(names)}{which}.")
    return "\n\n".join(said)


if __name__ == "__main__":
    sys.exit(main())
