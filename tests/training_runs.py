"""Small pictures and small runs that the tests of training share."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from training.run import Run
from training.setup import prepare
from training.train import build_parser

SRRESNET = [
    "architecture=SRResNet",
    "arguments={'scale': 4, 'channels': 8, 'blocks': 1}",
]
"""Settings that put a small network with batch norm in the place of a recipe's."""


def write_pictures(folder: Path, *, count: int = 4, side: int = 96) -> Path:
    """Pictures with smooth areas and edges, so that there is something to learn."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(folder.name))
    rows, columns = np.mgrid[:side, :side] / side
    for index in range(count):
        waves = [np.sin(f * (a * rows + b * columns)) for f, a, b in rng.uniform(-9, 9, (3, 3))]
        edges = [(wave > t) * 0.3 for wave, t in zip(waves, rng.uniform(-0.5, 0.5, 3), strict=True)]
        planes = [0.4 + 0.15 * w + e for w, e in zip(waves, edges, strict=True)]
        array = (np.stack(planes, axis=-1).clip(0, 1) * 255).astype(np.uint8)
        Image.fromarray(array).save(folder / f"{index}.png")
    return folder


def command(pictures: Path, out: Path, recipe: str = "tiny", *more: str) -> list[str]:
    """The arguments of `training.train` for a run of a few seconds at most."""
    data = ["--data", str(pictures), "--val", str(pictures), "--out", str(out)]
    return [recipe, *data, *more]


def make_run(pictures: Path, out: Path, recipe: str = "tiny", *more: str) -> Run:
    return prepare(build_parser().parse_args(command(pictures, out, recipe, *more)))


def read_rows(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def without_seconds(rows: list[dict]) -> list[dict]:
    return [{name: row[name] for name in row if name != "seconds"} for row in rows]
