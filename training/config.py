"""What a training run is made of, as plain data."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Self

from sr_hub.errors import SRHubError

SCHEDULES = ("cosine", "halving", "constant")
ADVERSARIAL = ("vanilla", "non-saturating", "relativistic")
DEGRADATIONS = ("bicubic", "real")
PRECISIONS = ("auto", "fp32", "bf16")


@dataclass(frozen=True)
class TrainConfig:
    """One training run. Two runs with equal configs, seeds and data take equal steps."""

    architecture: str
    """Name of the network in `sr_hub.models.MODELS`."""

    arguments: dict[str, Any] = field(default_factory=dict)
    """Arguments of the network, besides its defaults."""

    steps: int = 100_000
    """Optimizer steps in all."""

    batch: int = 16
    """Patches in a step, on each process."""

    patch: int = 24
    """Side of a low-resolution patch, in pixels."""

    degradation: str = "bicubic"
    """How a low-resolution patch is made: "bicubic", or "real" (blur, resize, noise and JPEG)."""

    lr: float = 5e-4
    """Peak learning rate of the generator's Adam."""

    betas: tuple[float, float] = (0.9, 0.99)
    """Decays of Adam's first and second moment."""

    schedule: str = "cosine"
    """Fall of the learning rate after the warm-up: "cosine" to 0, "halving" at 1/8, 1/4, 1/2 and
    3/4 of the steps, or "constant"."""

    warmup: int = 200
    """Steps over which the learning rate rises from 0 to its peak."""

    ema: float = 0.999
    """Decay per step of the average of the weights, which is what is validated and saved."""

    clip: float = 1.0
    """Largest norm of a gradient; a larger one is scaled down to it."""

    losses: dict[str, float] = field(default_factory=lambda: {"l1": 1.0})
    """Weight of each loss of the generator, by its name in `training.losses.PIXEL_LOSSES`, and of
    "perceptual" and "adversarial"."""

    vgg_layers: dict[str, float] = field(default_factory=lambda: {"conv5_4": 1.0})
    """Layers of VGG19 that the perceptual loss looks at, with their weights."""

    vgg_before_activation: bool = False
    """Compare the features in front of the ReLU (ESRGAN), not behind it (SRGAN)."""

    adversarial: str = "non-saturating"
    """Form of the adversarial loss: "vanilla", "non-saturating" or "relativistic" (average)."""

    discriminator: str = "SRGANDiscriminator"
    """Name in `training.discriminators.DISCRIMINATORS`; used if "adversarial" has a weight."""

    discriminator_arguments: dict[str, Any] = field(default_factory=dict)
    """Arguments of the discriminator, besides its defaults."""

    discriminator_lr: float = 1e-4
    """Peak learning rate of the discriminator's Adam; its schedule is the generator's."""

    pixel_steps: int = 0
    """Steps at the start with the pixel losses alone, before the GAN begins."""

    precision: str = "auto"
    """Arithmetic of the networks: "fp32", "bf16" (weights stay fp32), or "auto": bf16 where the
    machine has it."""

    seed: int = 0
    """Seed of the weights and of every crop."""

    validate_every: int = 1000
    """Steps between validations."""

    save_every: int = 1000
    """Steps between saves of the whole state."""

    keep_every: int = 0
    """Steps between generators that are kept for good; 0 keeps the last and the best alone."""

    sample_every: int = 0
    """Steps between sample grids (LR, SR, HR of fixed validation crops); 0 draws none."""

    log_every: int = 50
    """Steps between lines of the log; each line holds the means since the last."""

    patience: int = 10
    """Steps in a row with a loss or gradient that is not finite, before the run is rolled back."""

    def __post_init__(self) -> None:
        for name, allowed in (
            ("schedule", SCHEDULES),
            ("adversarial", ADVERSARIAL),
            ("degradation", DEGRADATIONS),
            ("precision", PRECISIONS),
        ):
            if getattr(self, name) not in allowed:
                raise SRHubError(f"{name} is {', '.join(allowed)}, not {getattr(self, name)!r}")
        for name in ("steps", "batch", "patch", "validate_every", "save_every", "log_every"):
            if getattr(self, name) < 1:
                raise SRHubError(f"{name} must be at least 1, not {getattr(self, name)}")

    @property
    def is_gan(self) -> bool:
        """Whether a discriminator takes part."""
        return bool(self.losses.get("adversarial"))

    def with_(self, **changes: Any) -> Self:
        """A copy with some fields changed.

        Raises:
            SRHubError: if a field does not exist.
        """
        known = {f.name for f in dataclasses.fields(self)}
        for name in changes:
            if name not in known:
                raise SRHubError(f"a run has no setting {name!r}; it has {', '.join(sorted(known))}")
        return dataclasses.replace(self, **changes)
