"""The state of a run: what is trained, what is saved, what a resumed run starts from."""

import copy
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr_hub.base import SRModel
from sr_hub.errors import SRHubError, first_line
from sr_hub.files import write_whole
from sr_hub.folder import save_folder

LAST_FILE = "last.pt"


class NotFiniteError(SRHubError):
    """The run has left the path: its losses, gradients or weights are not finite."""


@dataclass
class State:
    """Everything that changes during a run, and nothing else.

    `discriminator` and its optimizer are None in a run without one. `seconds` is the time spent
    training, stops left out; `lr_factor` falls at every roll-back; `streak` counts the skipped
    steps since the last sound one; `best` is the least `badness` of a validation, by its name;
    `sums` are the numbers of the steps since the last log line.
    """

    generator: SRModel
    ema: SRModel
    generator_optimizer: torch.optim.Optimizer
    discriminator: nn.Module | None = None
    discriminator_optimizer: torch.optim.Optimizer | None = None
    step: int = 0
    seconds: float = 0.0
    lr_factor: float = 1.0
    skipped: int = 0
    streak: int = 0
    rollbacks: int = 0
    best: dict[str, float] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)

    PARTS: ClassVar = (
        "generator",
        "ema",
        "generator_optimizer",
        "discriminator",
        "discriminator_optimizer",
    )
    NUMBERS: ClassVar = (
        "step",
        "seconds",
        "lr_factor",
        "skipped",
        "streak",
        "rollbacks",
        "best",
        "sums",
    )

    @property
    def players(self) -> list[nn.Module]:
        """The networks that learn."""
        return (
            [self.generator] if self.discriminator is None else [self.generator, self.discriminator]
        )

    @property
    def optimizers(self) -> list[torch.optim.Optimizer]:
        """Those of the players, in their order."""
        both = (self.generator_optimizer, self.discriminator_optimizer)
        return [optimizer for optimizer in both if optimizer is not None]

    def state_dict(self) -> dict[str, Any]:
        """All of it as tensors, by reference, and plain values."""
        parts = {name: getattr(self, name) for name in self.PARTS}
        saved = {name: part.state_dict() for name, part in parts.items() if part is not None}
        numbers = {name: copy.copy(getattr(self, name)) for name in self.NUMBERS}
        return {**saved, **numbers, "rng": torch.get_rng_state()}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over a state that `state_dict` made."""
        for name in self.PARTS:
            part = getattr(self, name)
            if (part is None) != (name not in saved):
                raise SRHubError(f"the saved run {'has' if part is None else 'lacks'} a {name}")
            if part is not None:
                part.load_state_dict(saved[name])
        for name in self.NUMBERS:
            setattr(self, name, copy.copy(saved[name]))
        torch.set_rng_state(saved["rng"])

    def is_finite(self) -> bool:
        """Whether no weight or buffer of the networks is NaN or infinite."""
        modules = [*self.players, self.ema]
        tensors = [t for m in modules for t in m.state_dict().values() if t.is_floating_point()]
        return all(torch.isfinite(tensor).all() for tensor in tensors)


def save_state(state: State, path: Path) -> None:
    """Write the state whole.

    Raises:
        NotFiniteError: if a weight is not finite; the older file stays as it is.
        SRHubError: if the file cannot be written; the older one stays then too.
    """
    if not state.is_finite():
        raise NotFiniteError(
            f"step {state.step}: a weight is not finite; {path} keeps the state before"
        )
    content = io.BytesIO()  # the zip writer of torch hides why a file cannot be written
    torch.save(state.state_dict(), content)
    write_whole(path, lambda temporary: temporary.write_bytes(content.getbuffer()))


def save_generator(model: SRModel, folder: Path) -> None:
    """Write a Hub folder of config and weights, each file whole; its card is made by `push`."""
    save_folder(model, model.arguments, folder)


def read_state(path: Path) -> dict[str, Any]:
    """What `save_state` wrote, for `State.load_state_dict`.

    Raises:
        SRHubError: if the file is damaged.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch has no common type for what a damaged file raises
        raise SRHubError(f"{path} cannot be read: {first_line(error)}") from None


class WarmStart(NamedTuple):
    """Names of tensors: of both networks, of the new one alone, and of the source alone."""

    taken: list[str]
    new: list[str]
    """Those that begin as in any new network, also where only the shape is another."""
    left: list[str]

    def __str__(self) -> str:
        words = [f"{len(self.taken)} tensors taken over"]
        if self.new:
            words.append(f"{len(self.new)} begin anew ({_parts(self.new)})")
        if self.left:
            words.append(f"{len(self.left)} left out, without a place here ({_parts(self.left)})")
        return ", ".join(words)


def warm_start(model: SRModel, source: SRModel) -> WarmStart:
    """Copy every tensor of `source` that `model` has a place for, by name and shape.

    For a start across scales: trunk and head fit, the sub-pixel tail does not. A kernel that only
    grew is filled with zeros around the old one, and so computes what it did.
    """
    mine, theirs = model.state_dict(), source.state_dict()
    grown = {n: _grow_kernel(t, mine[n].shape) for n, t in theirs.items() if n in mine}
    fitting = {n: t for n, t in grown.items() if t.shape == mine[n].shape}
    model.load_state_dict(fitting, strict=False)
    new, left = mine.keys() - fitting.keys(), theirs.keys() - mine.keys()
    return WarmStart(sorted(fitting), sorted(new), sorted(left))


def _parts(names: list[str]) -> str:
    """The parts of a network that tensors belong to, each once."""
    return ", ".join(dict.fromkeys(name.partition(".")[0] for name in names))


def _grow_kernel(weight: Tensor, shape: torch.Size) -> Tensor:
    """`weight` (outputs, inputs, k, k) inside zeros up to the larger odd k of `shape`, if so."""
    if weight.shape[:2] != shape[:2] or weight.ndim != 4:
        return weight
    down, right = (new - old for new, old in zip(shape[2:], weight.shape[2:], strict=True))
    if min(down, right) < 0 or down % 2 or right % 2:
        return weight
    return F.pad(weight, (right // 2, right // 2, down // 2, down // 2))
