"""Cross a trained RRIM: `python -m training.cross MODEL OUT --data PICTURES`.

An RRIM sees a picture and the same picture lying on its side in two ways, since its factors run in
a fixed order; its errors there differ, and the mean of both answers is better than each. This makes
the `crossed` RRIM that has both: the second head and trunk are the trained ones with every kernel
turned by 90 degrees, and the 3x3 convolution that joins them is the least-squares map from what the
second sees to what the first sees, on patches of PICTURES. No gradient is computed; training can go
on from OUT (`--start-from`).
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sr_hub.degrade import SUPPORT
from sr_hub.errors import SRHubError
from sr_hub.models import RRIM, load_model
from training.command import command
from training.data import Pictures
from training.origins import called, facts_of_all, save_made

PATCH = 48
"""Side of a low-resolution patch that the map is fitted on, in pixels."""

BATCHES = 14
"""Batches of 8 patches: 237,000 places for the 577 numbers behind each channel."""

RIDGE = 1e-5
"""Added to the diagonal of the normal equations, in units of its mean."""


@command
def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0, or 2 with one line on stderr if the input is at fault."""
    parser = argparse.ArgumentParser(prog="python -m training.cross", description=__doc__)
    parser.add_argument("model", help="an RRIM: name, folder or Hub id")
    parser.add_argument("out", type=Path, help="Hub folder to write")
    parser.add_argument("--data", type=Path, required=True, metavar="PICTURES")
    parser.add_argument("--cache", type=Path, help="folder for the decoded pictures")
    options = parser.parse_args(arguments)
    remedy = "--cache FOLDER, or fewer pictures"
    pictures = Pictures.read(options.data, cache=options.cache, remedy=remedy)
    model = load_model(options.model)
    pictures = pictures.without_small((PATCH + 2 * SUPPORT) * model.scale, "a patch and its margin")
    batches = (
        pictures.batch(scale=model.scale, patch=PATCH, size=8, seed=0, step=step)[0]
        for step in range(BATCHES)
    )
    facts = facts_of_crossed(options.model, options.data.resolve().name, len(pictures))
    save_made(cross(model, batches), options.out, facts)
    return 0


def facts_of_crossed(model: str, data: str, pictures: int) -> dict[str, Any]:
    """What the card of a crossed RRIM tells: how the RRIM was trained, and what the map saw."""
    name = called(model)
    facts = facts_of_all([model], f"python -m training.cross {name} OUT --data {data}")
    known = {entry.get("name") for entry in facts["data"]}
    seen = [] if data in known else [{"name": data, "pictures": pictures}]
    return {**facts, "data": [*facts["data"], *seen], "start_from": f"{name}, crossed"}


@torch.no_grad()
def cross(model: RRIM, batches: Iterable[Tensor]) -> RRIM:
    """The crossed RRIM of `model`; `batches` are low-resolution pictures (N, 3, h, w) in [0, 1].

    Raises:
        SRHubError: if `model` is no RRIM, or is crossed already.
    """
    if not isinstance(model, RRIM):
        raise SRHubError(f"only an RRIM can be crossed, not a {type(model).__name__}")
    if model.crossed:
        raise SRHubError("this RRIM is crossed already; go on from it with --start-from")
    crossed = RRIM(**(model.arguments | {"crossed": True}))
    weights = model.state_dict()
    turned = {
        f"crossed_{name}": weight.rot90(-1, (2, 3)) if weight.ndim == 4 else weight
        for name, weight in weights.items()
        if name.startswith(("head.", "trunk."))
    }
    crossed.load_state_dict(weights | turned, strict=False)
    join, bias = _fit(crossed.eval(), batches)
    crossed.join.weight.copy_(join)
    crossed.join.bias.copy_(bias)
    for branch in crossed.deep.branches:
        first_pair = branch[0]
        first_pair[0].weight.mul_(0.5)  # the sum of the two paths is twice what it read before
    return crossed


def _fit(model: RRIM, batches: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """The 3x3 kernel and the bias that bring the second path's features nearest to the first's."""
    squares, products = 0.0, 0.0
    for lr in batches:
        first = model.path(model.head, model.trunk, lr)
        second = model.path(model.crossed_head, model.crossed_trunk, lr)
        seen = F.unfold(second, 3).transpose(1, 2).flatten(0, 1).double()
        seen = F.pad(seen, (0, 1), value=1.0)
        wanted = first[..., 1:-1, 1:-1].flatten(2).transpose(1, 2).flatten(0, 1).double()
        squares, products = squares + seen.T @ seen, products + seen.T @ wanted
    ridge = RIDGE * squares.diagonal().mean() * torch.eye(len(squares), dtype=torch.float64)
    solution = torch.linalg.solve(squares + ridge, products).float()
    channels = solution.shape[1]
    return solution[:-1].T.reshape(channels, channels, 3, 3), solution[-1]


if __name__ == "__main__":
    sys.exit(main())
