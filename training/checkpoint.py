"""The state of a run: what is trained, what is saved, what a resumed run starts from."""

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sr_hub.base import SRModel
from sr_hub.errors import SRHubError

LAST_FILE = "last.pt"


@dataclass
class State:
    """Everything that changes during a run, and nothing else.

    `discriminator` and its optimizer are None in a run without one.
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
    rollbacks: int = 0
    best: float | None = None
    sums: dict[str, float] = field(default_factory=dict)

    MODULES = ("generator", "ema", "generator_optimizer", "discriminator", "discriminator_optimizer")
    NUMBERS = ("step", "seconds", "lr_factor", "skipped", "rollbacks", "best", "sums")

    def state_dict(self) -> dict[str, Any]:
        """All of it as tensors and plain values, by reference."""
        parts = {name: getattr(self, name) for name in self.MODULES}
        saved = {name: part.state_dict() for name, part in parts.items() if part is not None}
        numbers = {name: copy.copy(getattr(self, name)) for name in self.NUMBERS}
        return {**saved, **numbers, "rng": torch.get_rng_state()}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over a state that `state_dict` made."""
        for name in self.MODULES:
            part = getattr(self, name)
            if (part is None) != (name not in saved):
                raise SRHubError(f"the saved run {'has' if part is None else 'lacks'} a {name}")
            if part is not None:
                part.load_state_dict(saved[name])
        for name in self.NUMBERS:
            setattr(self, name, copy.copy(saved[name]))
        torch.set_rng_state(saved["rng"])


def save_state(state: State, path: Path) -> None:
    """Write the state whole: under another name, then renamed."""
    temporary = path.with_suffix(".tmp")
    torch.save(state.state_dict(), temporary)
    temporary.replace(path)


def load_state(state: State, path: Path) -> None:
    """Fill `state` from a file of `save_state`.

    Raises:
        SRHubError: if the file is another run's or is damaged.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        state.load_state_dict(saved)
    except SRHubError as error:
        raise SRHubError(f"{path}: {error}") from None
    except Exception as error:  # torch has no common type for what a damaged file raises
        reason = str(error).splitlines()[0]
        raise SRHubError(f"{path} does not fit this run: {reason}") from None


def save_model(model: SRModel, folder: Path) -> None:
    """Write a Hub folder whose files are each replaced whole."""
    temporary = folder.with_name(folder.name + ".tmp")
    temporary.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    model._save_pretrained(temporary)
    for path in sorted(temporary.iterdir()):
        path.replace(folder / path.name)
    temporary.rmdir()
