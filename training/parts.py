"""The parts of a run: each begins where the run was resumed with something changed.

`run.json` tells of the newest part, and of those before it under "parts", the oldest first. Each
has its own command, config, pictures and machine, and says at which step it began ("from_step").
One that was written before there were parts counts as a single one.
"""

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

Part = dict[str, Any]

OF_EACH_START = ("from_step", "started")
"""What is another in each start of a run, though nothing was changed."""

MEASURED_BY = ("validation_side", "degradation")
"""Settings that what is measured in a validation depends on, besides the pictures."""


def parts_of(described: dict[str, Any]) -> list[Part]:
    """The parts of what `run.json` says, the oldest first."""
    newest = {name: fact for name, fact in described.items() if name != "parts"}
    return [*described.get("parts", []), newest]


def with_part(described: dict[str, Any], part: Part) -> dict[str, Any]:
    """What `run.json` says once `part` has begun; the same as before if nothing is changed."""
    parts = parts_of(described)
    as_read = json.loads(json.dumps(part))
    before, now = (
        {name: fact for name, fact in each.items() if name not in OF_EACH_START}
        for each in (parts[-1], as_read)
    )
    return described if before == now else {**part, "parts": parts}


def begun_before(parts: list[Part], step: float) -> list[Part]:
    """The parts that a state at `step` has come through; the first in any case."""
    return [parts[0], *(part for part in parts[1:] if part["from_step"] < step)]


def with_steps(parts: list[Part]) -> list[Part]:
    """Those that took steps which the next one went on from, and the last."""
    went_on = [p for p, after in pairwise(parts) if after["from_step"] > p.get("from_step", 0)]
    return [*went_on, parts[-1]]


def same_pictures(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether two parts had the same pictures, as far as both say which."""
    names = ("pictures", "fingerprint")
    return all(first[name] == second[name] for name in names if name in first and name in second)


def same_measure(first: Part, second: Part) -> bool:
    """Whether the validations of two parts can be compared."""
    settings = all(first["config"].get(n) == second["config"].get(n) for n in MEASURED_BY)
    return settings and same_pictures(first["val"], second["val"])


def measured_since(parts: list[Part]) -> int:
    """The step after which all validations can be compared with those of the last part."""
    since = parts[-1].get("from_step", 0)
    for part in reversed(parts[:-1]):
        if not same_measure(part, parts[-1]):
            break
        since = part.get("from_step", 0)
    return since


def in_order(parts: list[Part], say: Callable[[Part], str]) -> str:
    """What `say` tells of each part, with the step from which it was another."""
    words, last = [], None
    for part in parts:
        if (said := say(part)) != last:
            words.append(f"from step {part['from_step']:,} on {said}" if words else said)
            last = said
    return "; ".join(words)
