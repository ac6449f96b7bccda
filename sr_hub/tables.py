"""Tables of results for the terminal, Markdown and CSV, the best of each column marked."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

COLUMNS = ("psnr", "ssim", "fsim", "rmse", "lpips", "seconds")
HIGHER_IS_BETTER = frozenset({"psnr", "ssim", "fsim"})
UNDEFINED = "–"

LPIPS_DEFINITION = (
    "LPIPS v0.1, SqueezeNet: RGB of the 8-bit result, no border cropped; lower is better"
)
"""The same under every protocol; see `lpips.py`."""

_TITLES = {
    "psnr": "PSNR dB",
    "ssim": "SSIM",
    "fsim": "FSIM",
    "rmse": "RMSE",
    "lpips": "LPIPS",
    "seconds": "s/picture",
}
_BOLD, _PLAIN = "\033[1m", "\033[0m"


@dataclass(frozen=True)
class Row:
    """One model: its name, and its values by column; NaN where not defined."""

    model: str
    values: dict[str, float]


def rows_of(results: dict[str, Any], dataset: str, protocol: str) -> list[Row]:
    """The means of every model on one benchmark under one protocol, in the order of the results."""
    seconds = {(s["dataset"], s["model"]): s["mean"] for s in results.get("seconds", [])}
    rows = []
    for result in results["results"]:
        if (result["dataset"], result["protocol"]) == (dataset, protocol):
            values = dict(result["mean"])
            key = (dataset, result["model"])
            rows.append(Row(result["model"], values | {"seconds": seconds.get(key, math.nan)}))
    return rows


def columns_of(rows: Sequence[Row]) -> list[str]:
    """The columns for which a row has a value, NaN included, in the order of a table."""
    return [name for name in COLUMNS if any(name in row.values for row in rows)]


def best(rows: Sequence[Row], protocol: str) -> dict[str, set[str]]:
    """Column -> the models with the best value as printed; ties share the mark.

    Seconds are left out, and so is a column in which all are equal.
    """
    marked = {}
    for column in columns_of(rows):
        shown = {
            row.model: _key(row.values.get(column, math.nan), column, protocol) for row in rows
        }
        known = {model: value for model, value in shown.items() if not math.isnan(value)}
        if column == "seconds" or len(set(known.values())) < 2:
            marked[column] = set()
            continue
        top = max(known.values()) if column in HIGHER_IS_BETTER else min(known.values())
        marked[column] = {model for model, value in known.items() if value == top}
    return marked


def show(value: float, column: str, protocol: str) -> str:
    """A value as a table prints it: "–" where it is not defined, "∞" for equal pictures."""
    if math.isnan(value):
        return UNDEFINED
    return "∞" if math.isinf(value) else f"{value:.{_digits(column, protocol)}f}"


def terminal_table(rows: Sequence[Row], protocol: str, *, bold: bool = True) -> str:
    """Aligned columns; the best is bold, or has a star where `bold` is off."""
    columns, marks = columns_of(rows), best(rows, protocol)
    width = max(len("model"), *(len(row.model) for row in rows))
    lines = ["  ".join(["model".ljust(width), *(f"{_TITLES[c]:>9} " for c in columns)])]
    for row in rows:
        cells = [row.model.ljust(width)]
        for column in columns:
            text = show(row.values.get(column, math.nan), column, protocol)
            marked = row.model in marks[column]
            cells.append(_marked(text, bold) if marked else f"{text:>9} ")
        lines.append("  ".join(cells).rstrip(" "))
    return "\n".join(lines)


def markdown_table(rows: Sequence[Row], protocol: str) -> str:
    """A table for a README or a model card; the best is bold."""
    columns, marks = columns_of(rows), best(rows, protocol)
    lines = [
        "| model | " + " | ".join(_TITLES[c] for c in columns) + " |",
        "|---|" + "---:|" * len(columns),
    ]
    for row in rows:
        cells = []
        for column in columns:
            text = show(row.values.get(column, math.nan), column, protocol)
            cells.append(f"**{text}**" if row.model in marks[column] else text)
        lines.append(f"| {row.model} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def csv_table(rows: Sequence[Row], protocol: str, definition: str = "") -> str:
    """Comma-separated values with all digits; undefined values are empty, infinite ones "inf".

    `definition` of the protocol, if given, stands in a last column, so that no number is without.
    """
    columns = columns_of(rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["model", *columns, "protocol", *(["definition"] if definition else [])])
    for row in rows:
        values = [row.values.get(column, math.nan) for column in columns]
        cells = ["" if math.isnan(value) else f"{value:.7g}" for value in values]
        writer.writerow([row.model, *cells, protocol, *([definition] if definition else [])])
    return text.getvalue()


def _digits(column: str, protocol: str) -> int:
    """Digits after the point: those of the literature, and of the report under its protocol."""
    if column == "psnr":
        return 4 if protocol == "report" else 2
    return 3 if column == "seconds" else 4


def _key(value: float, column: str, protocol: str) -> float:
    return value if math.isinf(value) else round(value, _digits(column, protocol))


def _marked(text: str, bold: bool) -> str:
    return f"{_BOLD}{text:>9}{_PLAIN} " if bold else f"{text:>9}*"
