"""What is known of each model that comes with the package: size, cost, stored scores."""

from dataclasses import dataclass
from pathlib import Path

from sr_hub.bundled import bundled_models
from sr_hub.folder import WEIGHTS_FILE
from sr_hub.models import BASELINES, load_model
from sr_hub.records import RESULTS, read_folder
from sr_hub.tables import UNDEFINED, show

SIDE = 64
"""Height and width of the input for which multiply-adds are counted."""

PROTOCOL = "y"
"""Of the scores: the literature's, on luma, with a border of `scale` pixels cut off."""


@dataclass(frozen=True)
class Entry:
    """One model."""

    name: str
    architecture: str
    scale: int
    parameters: int
    multiply_adds: int
    """For an input of `SIDE` x `SIDE` pixels."""
    bytes: int
    """Of the file of weights; 0 for a baseline."""
    scores: dict[str, dict[str, float]]
    """Benchmark -> metric -> mean under `PROTOCOL`."""


def entries() -> list[Entry]:
    """The bundled models and the baselines, with scores from the JSON files in `RESULTS`."""
    scores = _scores(RESULTS)
    folders: dict[str, Path | None] = {**bundled_models(), **dict.fromkeys(BASELINES)}
    found = []
    for name, folder in folders.items():
        model = load_model(name)
        entry = Entry(
            name=name,
            architecture=type(model).__name__,
            scale=model.scale,
            parameters=model.num_parameters,
            multiply_adds=model.multiply_adds(SIDE, SIDE),
            bytes=(folder / WEIGHTS_FILE).stat().st_size if folder else 0,
            scores=scores.get((name, model.scale), {}),
        )
        found.append(entry)
    return found


def table(rows: list[Entry]) -> str:
    """The entries as aligned columns, with a line on what the numbers are."""
    benchmarks = list(dict.fromkeys(name for row in rows for name in row.scores))
    header = ["model", "network", "scale", "parameters", "multiply-adds", "file", *benchmarks]
    lines = [header, *(_cells(row, benchmarks) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    left = 2
    text = [
        "  ".join(
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    notes = f"Multiply-adds for an input of {SIDE}x{SIDE} pixels."
    if benchmarks:
        notes += f" Scores: PSNR in dB / SSIM, protocol {PROTOCOL}."
    else:
        notes += " No scores are stored."
    return "\n".join([*text, "", notes])


def _cells(row: Entry, benchmarks: list[str]) -> list[str]:
    cost = [f"{row.parameters:,}", f"{row.multiply_adds / 1e9:.2f} G", f"{row.bytes / 1e6:.1f} MB"]
    if not row.parameters:
        cost = [UNDEFINED] * 3
    scores = [
        " / ".join(show(row.scores[b][metric], metric, PROTOCOL) for metric in ("psnr", "ssim"))
        if b in row.scores
        else UNDEFINED
        for b in benchmarks
    ]
    return [row.name, row.architecture, f"x{row.scale}", *cost, *scores]


def _scores(folder: Path) -> dict[tuple[str, int], dict[str, dict[str, float]]]:
    """(Model, scale) -> benchmark -> means; where two files have the same, the newer one's."""
    scores: dict[tuple[str, int], dict[str, dict[str, float]]] = {}
    for results in read_folder(folder):
        for result in results["results"]:
            if result["protocol"] == PROTOCOL:
                of_model = scores.setdefault((result["model"], results["scale"]), {})
                of_model[result["dataset"]] = result["mean"]
    return scores
