"""The JSON of evaluation results, which README tables, model cards and the app's tables come from.

It needs neither torch nor the packages that measure.
"""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sr_hub.errors import SRHubError
from sr_hub.files import write_text

RESULTS = Path(__file__).with_name("results")
"""The folder with the results of the bundled models."""

FORMAT = "sr_hub results 1"
NEEDED = {"scale", "protocols", "datasets", "models", "results"}
"""What every file of results holds."""

ROW = {"dataset", "model", "protocol", "mean"}
"""What every row of its results holds."""

DIGITS = 7
"""Significant digits of a stored number."""


def write_results(results: dict[str, Any], path: Path) -> None:
    """Store `results` as JSON, whole or not at all: NaN becomes null, infinity the word "inf".

    Raises:
        SRHubError: if the file cannot be written.
    """
    text = _dump(results)
    write_text(path, text)


def read_results(path: Path) -> dict[str, Any]:
    """What `write_results` has stored, with NaN and infinity again as numbers.

    Raises:
        SRHubError: if the file is missing or holds something else.
    """
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SRHubError(f"no file {path}") from None
    except ValueError as error:
        raise SRHubError(f"{path} is not valid JSON: {error}") from None
    is_ours = isinstance(results, dict) and results.get("format") == FORMAT
    if not is_ours or NEEDED - results.keys():
        raise SRHubError(f"{path} holds no results of `eval`")
    for name in ("protocols", "datasets", "models"):
        if not isinstance(results[name], dict):
            raise SRHubError(f"{path} is damaged: {name} is not an object")
    try:
        for result in results["results"]:
            if ROW - result.keys():
                raise KeyError
            result["mean"] = {k: _from_json(v) for k, v in result["mean"].items()}
            pictures = result.get("pictures", {})
            result["pictures"] = {k: [_from_json(v) for v in row] for k, row in pictures.items()}
    except (KeyError, TypeError, AttributeError, ValueError):
        needed = ", ".join(sorted(ROW))
        raise SRHubError(f"{path} is damaged: a row of results holds {needed}") from None
    return results


def read_folder(folder: Path) -> list[dict[str, Any]]:
    """All that `write_results` has stored in a folder, the oldest first; other files are passed."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(read_results(path))
        except SRHubError:
            continue
    return sorted(found, key=lambda results: results.get("created", ""))


@dataclass(frozen=True)
class Measured:
    """One results file in which these weights appear, and by what name."""

    name: str
    results: dict[str, Any]

    @property
    def protocols(self) -> list[str]:
        """Those under which they were measured."""
        mine = [row["protocol"] for row in self.results["results"] if row["model"] == self.name]
        return list(dict.fromkeys(mine))

    @property
    def has_lpips(self) -> bool:
        """Whether LPIPS is among the numbers."""
        mine = (row["mean"] for row in self.results["results"] if row["model"] == self.name)
        return any("lpips" in mean for mean in mine)


def measured_by(checksum: str, folder: Path) -> list[Measured]:
    """Where in the results of a folder the weights of that SHA-256 appear, by one plain pass."""
    return [
        Measured(name, results)
        for results in read_folder(folder)
        for name, facts in results["models"].items()
        if facts.get("sha256") == checksum
        and not (facts.get("ensemble") or facts.get("consistent"))
    ]


def _dump(results: dict[str, Any]) -> str:
    """JSON with one line for every list of plain values, in ASCII: a name may be no text at all."""
    text = json.dumps(_to_json(results), indent=1, allow_nan=False)
    return re.sub(r"\[[^][{}]*\]", lambda found: " ".join(found[0].split()), text) + "\n"


def _to_json(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {key: _to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    if not isinstance(value, float):
        return value
    if math.isnan(value):
        return None
    return "inf" if math.isinf(value) else float(f"{value:.{DIGITS}g}")


def _from_json(value: float | str | None) -> float:
    return math.nan if value is None else float(value)
