"""What a training run is made of, as plain data."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class TrainConfig:
    """One training run. Two runs with equal configs, seeds and data take equal steps."""

    architecture: str
    """Name of the network in `sr_hub.models.MODELS`."""

    arguments: dict[str, Any] = field(default_factory=dict)
    """Arguments of the network, besides its defaults."""

    steps: int = 1000
    """Optimizer steps in all."""

    batch: int = 16
    """Patches in a step, on each process."""

    patch: int = 24
    """Side of a low-resolution patch, in pixels."""

    lr: float = 1e-3
    """Peak learning rate of Adam."""

    warmup: int = 50
    """Steps over which the learning rate rises from 0 to its peak; a cosine brings it back to 0."""

    ema: float = 0.999
    """Decay of the average of the weights, which is what is validated and saved."""

    clip: float = 1.0
    """Largest norm of the gradient; a larger one is scaled down to it."""

    losses: dict[str, float] = field(default_factory=lambda: {"l1": 1.0})
    """Weight of each loss of the generator, by its name in `training.losses`."""

    seed: int = 0
    """Seed of the weights and of every crop."""

    validate_every: int = 500
    """Steps between validations, which also save the state."""
