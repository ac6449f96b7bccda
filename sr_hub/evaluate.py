"""Models x benchmarks x protocols: every model runs once per picture, every number has its origin.

The result is one plain dictionary that `records.py` stores and reads as JSON and `tables.py` makes
tables of. `score` is the part between outputs and numbers: to change the protocol, call it again
with the outputs that are there.
"""

import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor

from sr_hub import fsim, provenance
from sr_hub.contestants import Contestant
from sr_hub.errors import SRHubError
from sr_hub.metrics import METRICS, Protocol, measure, parse_protocol, why_undefined
from sr_hub.pairs import Dataset, read_pair
from sr_hub.records import FORMAT

Values = dict[str, float]
Job = tuple[str, str]
"""A model, and a protocol or `LPIPS_KEY`."""
Distance = Callable[[Tensor, Tensor], float]

LPIPS_KEY = "lpips"

_STARTING = threading.Lock()
"""Held while PyTorch's number of threads is not what it was."""


@dataclass(frozen=True)
class Progress:
    """What has just been measured: picture `done` of `total`, all benchmarks together."""

    dataset: str
    picture: str
    done: int
    total: int


def score(
    outputs: dict[str, Tensor],
    hr: Tensor,
    protocols: Sequence[Protocol | str],
    scale: int,
    *,
    lpips: Distance | None = None,
) -> dict[str, dict[str, Values]]:
    """Metrics of the outputs of several models for one picture: protocol -> model -> values.

    Args:
        outputs: name of the model -> result (1, 3, H, W) in [0, 1].
        hr: ground truth of the same shape.
        protocols: any of `y`, `rgb`, `report`.
        scale: enlargement factor.
        lpips: an `LPIPS` of `lpips.py`; adds "lpips" to the values, the same under every protocol.

    Raises:
        SRHubError: if a size differs or a protocol is unknown.
    """
    protocols = [parse_protocol(protocol) for protocol in protocols]
    truth = fsim.describe(hr[0]) if Protocol.REPORT in protocols else None
    jobs = [(model, protocol) for model in outputs for protocol in (*protocols, LPIPS_KEY)]

    def number(job: tuple[str, str]) -> Values:
        model, protocol = job
        if protocol == LPIPS_KEY:
            return {LPIPS_KEY: lpips(outputs[model], hr)} if lpips else {}
        return measure(outputs[model], hr, protocol, scale, truth=truth)

    values = dict(zip(jobs, _side_by_side(number, jobs), strict=True))
    table = {
        str(protocol): {m: values[m, protocol] | values[m, LPIPS_KEY] for m in outputs}
        for protocol in protocols
    }
    return table


def evaluate(
    datasets: Sequence[Dataset],
    contestants: Sequence[Contestant],
    protocols: Sequence[Protocol | str],
    scale: int,
    *,
    lpips: Distance | None = None,
    progress: Callable[[Progress], None] | None = None,
    on_picture: Callable[[str, str, Tensor, dict[str, Tensor]], None] | None = None,
) -> dict[str, Any]:
    """Every model on every picture of every benchmark, under every protocol.

    Args:
        datasets: benchmarks of `pairs.find_dataset`.
        contestants: models; each runs once per picture.
        protocols: any of `y`, `rgb`, `report`.
        scale: enlargement factor.
        lpips: an `LPIPS` of `lpips.py`, for one more column.
        progress: called after every picture.
        on_picture: called with benchmark, picture, ground truth and outputs by model.

    Returns:
        `format`, `created`, `scale`, `protocols` with their definitions, `datasets`, `models`,
        `results` (one per benchmark, model and protocol: `mean` and `pictures`, lists in the order
        of the benchmark's pictures), `seconds` (one per benchmark and model), `undefined` (which
        values are NaN and why; means leave them out), `versions`.

    Raises:
        SRHubError: if there is nothing to do, a file cannot be read, or a pair does not fit.
    """
    protocols = [parse_protocol(protocol) for protocol in protocols]
    _check_task(datasets, contestants, protocols)
    record = _Record(protocols, scale)
    done, total = 0, sum(len(dataset.pairs) for dataset in datasets)
    for dataset in datasets:
        for pair in dataset.pairs:
            lr, hr = read_pair(pair, scale)
            outputs, seconds = _run(contestants, lr)
            table = score(outputs, hr, protocols, scale, lpips=lpips)
            record.add(dataset.name, pair.name, table, seconds, hr.shape[-2:])
            if on_picture:
                on_picture(dataset.name, pair.name, hr, outputs)
            done += 1
            if progress:
                progress(Progress(dataset.name, pair.name, done, total))
    return record.results(datasets, contestants)


class _Record:
    """Numbers as they come in, by benchmark, protocol and model."""

    def __init__(self, protocols: Sequence[Protocol], scale: int) -> None:
        self.protocols, self.scale = protocols, scale
        self.values: dict[tuple[str, str, str], list[Values]] = {}
        self.seconds: dict[tuple[str, str], list[float]] = {}
        self.undefined: list[dict[str, str]] = []

    def add(
        self,
        dataset: str,
        picture: str,
        table: dict[str, dict[str, Values]],
        seconds: dict[str, float],
        size: Sequence[int],
    ) -> None:
        for model, duration in seconds.items():
            self.seconds.setdefault((dataset, model), []).append(duration)
        for protocol, rows in table.items():
            place = {"dataset": dataset, "picture": picture, "protocol": protocol}
            missing: set[str] = set()
            for model, values in rows.items():
                self.values.setdefault((dataset, protocol, model), []).append(values)
                missing |= {metric for metric, value in values.items() if math.isnan(value)}
            for metric in sorted(missing):
                reason = why_undefined(metric, *size, protocol, self.scale)
                self.undefined.append({**place, "metric": metric, "reason": reason})

    def results(
        self, datasets: Sequence[Dataset], contestants: Sequence[Contestant]
    ) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "scale": self.scale,
            "protocols": {str(p): p.definition for p in self.protocols},
            "datasets": {
                d.name: {"low_resolution": d.low_resolution, "pictures": [p.name for p in d.pairs]}
                for d in datasets
            },
            "models": {c.name: c.facts for c in contestants},
            "results": [
                {"dataset": dataset, "model": model, "protocol": protocol, **_summary(rows)}
                for (dataset, protocol, model), rows in self.values.items()
            ],
            "seconds": [
                {"dataset": dataset, "model": model, "mean": _mean(row), "pictures": row}
                for (dataset, model), row in self.seconds.items()
            ],
            "undefined": self.undefined,
            "versions": provenance.versions(),
        }


def _check_task(
    datasets: Sequence[Dataset], contestants: Sequence[Contestant], protocols: Sequence[Protocol]
) -> None:
    for what, names in {
        "model": [contestant.name for contestant in contestants],
        "benchmark": [dataset.name for dataset in datasets],
        "protocol": [str(protocol) for protocol in protocols],
    }.items():
        if not names:
            raise SRHubError(f"no {what} is named: there is nothing to measure")
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise SRHubError(f"{what} {twice[0]!r} is named twice")


def _side_by_side(number: Callable[[Job], Values], jobs: Sequence[Job]) -> list[Values]:
    """The numbers of all jobs, one job on each core: the operations are too small to be split."""
    with _single_threaded() as pool:
        return list(pool.map(number, jobs))


def _single_threaded() -> ThreadPoolExecutor:
    """A thread for each that PyTorch has here; in each of them it computes with one.

    The number that a thread sets is also what later threads of the process begin with. So it is set
    back as soon as all have begun, not after the work: an app enlarges at the same time.
    """
    with _STARTING:
        threads = torch.get_num_threads()
        pool = ThreadPoolExecutor(threads, initializer=_use_one_thread)
        everybody = threading.Barrier(threads)
        list(pool.map(lambda _: everybody.wait(), range(threads)))
        torch.set_num_threads(threads)
    return pool


def _use_one_thread() -> None:
    torch.set_num_threads(1)
    torch.get_num_threads()  # the first call of a thread takes over what the process has


@torch.inference_mode()
def _run(
    contestants: Sequence[Contestant], lr: Tensor
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Outputs on the CPU in [0, 1], and seconds, by model."""
    outputs, seconds = {}, {}
    for contestant in contestants:
        start = time.perf_counter()
        sr = contestant.run(lr).float().cpu()
        seconds[contestant.name] = time.perf_counter() - start
        if not sr.isfinite().all():
            raise SRHubError(f"{contestant.name} gave values that are not finite: a broken model")
        outputs[contestant.name] = sr.clamp(0, 1)
    return outputs, seconds


def _summary(rows: list[Values]) -> dict[str, Any]:
    metrics = [metric for metric in (*METRICS, "lpips") if metric in rows[0]]
    columns = {metric: [row[metric] for row in rows] for metric in metrics}
    return {"mean": {m: _mean(column) for m, column in columns.items()}, "pictures": columns}


def _mean(values: Sequence[float]) -> float:
    """Mean of the values that are defined; NaN if none is."""
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan
