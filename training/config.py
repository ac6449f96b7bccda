"""What a training run is made of, as plain data."""

import ast
import dataclasses
import math
import typing
from dataclasses import dataclass, field
from typing import Any, Self

from sr_hub.errors import SRHubError
from training.discriminators import check_discriminator
from training.losses import LOSSES
from training.vgg import LAYERS, MIN_SIDE

CHOICES = {
    "degradation": ("bicubic", "real"),
    "optimizer": ("adam", "momentum", "muon"),
    "schedule": ("cosine", "halving", "constant"),
    "vgg_norm": ("l1", "mse"),
    "adversarial": ("vanilla", "non-saturating", "relativistic"),
    "precision": ("auto", "fp32", "bf16"),
}
"""The values of the fields that take a word."""

POSITIVE = ("steps", "batch", "patch", "lr", "discriminator_lr", "log_every", "patience")

NOT_NEGATIVE = (
    "warmup",
    "clip",
    "weight_decay",
    "pixel_steps",
    "seed",
    "validate_every",
    "save_every",
    "keep_every",
    "sample_every",
)


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

    optimizer: str = "adam"
    """Of both players: "adam", "momentum" (gradient descent with momentum 0.9), or "muon" for the
    generator's hidden kernels and "adam" for the rest of it and for the discriminator."""

    betas: tuple[float, float] = (0.9, 0.99)
    """Decays of Adam's first and second moment, per step."""

    weight_decay: float = 0.0
    """Part of Muon's kernels that is taken off at each step, in units of the learning rate."""

    lr: float = 5e-4
    """Peak learning rate of the generator."""

    schedule: str = "cosine"
    """Fall of the learning rate after the warm-up: "cosine" to 0, "halving" at 1/8, 1/4, 1/2 and
    3/4 of the steps, or "constant"."""

    warmup: int = 200
    """Steps over which the learning rate rises from 0 to its peak."""

    ema: float = 0.999
    """Decay per step of the average of the weights, which is what is validated and saved; 0 takes
    the weights as they are."""

    clip: float = 1.0
    """Largest norm of a player's gradient, to which a larger one is scaled down; 0 for none."""

    losses: dict[str, float] = field(default_factory=lambda: {"l1": 1.0})
    """Weight of each loss of the generator, by its name in `training.losses.LOSSES`."""

    vgg_layers: dict[str, float] = field(default_factory=lambda: {"conv5_4": 1.0})
    """Layers of VGG19 that the perceptual loss looks at, with their weights."""

    vgg_before_activation: bool = False
    """Compare the features in front of the ReLU (ESRGAN), not behind it (SRGAN)."""

    vgg_norm: str = "l1"
    """Distance of two feature maps: "l1" (ESRGAN) or "mse" (SRGAN)."""

    adversarial: str = "non-saturating"
    """Form of the adversarial loss: "vanilla", "non-saturating" or "relativistic" (average)."""

    discriminator: str = "SRGANDiscriminator"
    """Name in `training.discriminators.DISCRIMINATORS`; used if "adversarial" has a weight."""

    discriminator_arguments: dict[str, Any] = field(default_factory=dict)
    """Arguments of the discriminator, besides its defaults."""

    discriminator_lr: float = 1e-4
    """Peak learning rate of the discriminator; its schedule is the generator's."""

    pixel_steps: int = 0
    """Steps at the start with the pixel losses alone, before VGG and the discriminator join."""

    precision: str = "auto"
    """Arithmetic of the networks: "fp32", "bf16" (the weights stay fp32), or "auto": bf16 where
    the machine computes in it."""

    seed: int = 0
    """Seed of the weights, of every crop and of every degradation."""

    validate_every: int = 1000
    """Steps between validations; 0 for one at the end alone."""

    validation_side: int = 256
    """Side of the centre crop of each validation picture that is looked at, in pixels; at least
    32, for VGG19 looks at the middle half."""

    save_every: int = 1000
    """Steps between saves of the whole state; 0 for one at the end alone."""

    keep_every: int = 0
    """Steps between generators that are kept for good; 0 keeps the last and the best alone."""

    sample_every: int = 0
    """Steps between sample grids (LR, SR, HR of fixed validation crops); 0 draws none."""

    log_every: int = 50
    """Steps between lines of the log; each line holds the means since the last."""

    patience: int = 10
    """Steps in a row whose loss or gradient is not finite, before the run is rolled back."""

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise SRHubError(f"{name} is {' or '.join(allowed)}, not {getattr(self, name)!r}")
        for name in POSITIVE:
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise SRHubError(f"{name} is a finite number above 0, not {value}")
        for name in NOT_NEGATIVE:
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise SRHubError(f"{name} is a finite number of at least 0, not {value}")
        if not 0 <= self.ema < 1:
            raise SRHubError(f"ema is at least 0 and below 1, not {self.ema}")
        if len(self.betas) != 2 or not all(_is_number(b) and 0 <= b < 1 for b in self.betas):
            raise SRHubError(f"betas are two numbers, at least 0 and below 1, not {self.betas}")
        if self.weight_decay and self.optimizer != "muon":
            raise SRHubError(
                f"weight_decay is for optimizer=muon, not {self.optimizer}: leave it 0"
            )
        if self.validation_side < 2 * MIN_SIDE:
            raise SRHubError(
                f"validation_side is at least {2 * MIN_SIDE} pixels, not {self.validation_side}"
            )
        self._check_weights()
        check_discriminator(self.discriminator, self.discriminator_arguments)

    def _check_weights(self) -> None:
        for name in self.losses:
            if name not in LOSSES:
                raise SRHubError(f"no loss {name!r}: {', '.join(LOSSES)}")
        for name in self.vgg_layers:
            if name not in LAYERS:
                raise SRHubError(f"VGG19 has no layer {name!r}: {LAYERS[0]} to {LAYERS[-1]}")
        for field_name in ("losses", "vgg_layers"):
            weights = getattr(self, field_name)
            for name, weight in weights.items():
                if not (_is_number(weight) and 0 <= weight < math.inf):
                    where = f"{field_name}.{name}"
                    raise SRHubError(f"{where} is a finite number of at least 0, not {weight!r}")
        if not any(self.losses.values()):
            raise SRHubError("losses needs at least one loss with a weight")
        if self.is_perceptual and not any(self.vgg_layers.values()):
            raise SRHubError("vgg_layers needs a layer with a weight for the perceptual loss")

    @property
    def is_gan(self) -> bool:
        """Whether a discriminator takes part."""
        return bool(self.losses.get("adversarial"))

    @property
    def is_perceptual(self) -> bool:
        """Whether VGG19 takes part."""
        return bool(self.losses.get("perceptual"))

    def changed(self, **changes: Any) -> Self:  # noqa: ANN401
        """A copy with some fields changed.

        Raises:
            SRHubError: if a field does not exist, or its value is not one it can have.
        """
        hints = typing.get_type_hints(type(self))
        for name, value in changes.items():
            if name not in hints:
                raise SRHubError(f"a run has no setting {name!r}; it has {', '.join(hints)}")
            kind = typing.get_origin(hints[name]) or hints[name]
            if kind is float and _is_number(value):
                changes[name] = float(value)
            elif kind is tuple and isinstance(value, list):
                changes[name] = tuple(value)
            elif not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
                raise SRHubError(f"{name} is of type {kind.__name__}, not {value!r}")
        return dataclasses.replace(self, **changes)

    def with_settings(self, settings: list[str]) -> Self:
        """A copy with each "name=value" applied; "losses.l1=1" changes one entry of a dictionary.

        Raises:
            SRHubError: if a setting has another form, does not exist or has a value it cannot have.
        """
        changes: dict[str, Any] = {}
        for setting in settings:
            path, equals, text = setting.partition("=")
            name, _, key = path.partition(".")
            if not equals:
                raise SRHubError(f"a setting is NAME=VALUE, not {setting!r}")
            value = _literal(text)
            old = changes.get(name, getattr(self, name, None))
            if key and isinstance(old, dict):
                changes[name] = {**old, key: value}
            else:
                changes[path] = value
        return self.changed(**changes)


def _is_number(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, int | float) and not isinstance(value, bool)


def _literal(text: str) -> Any:  # noqa: ANN401
    """Numbers, truth values, dictionaries as Python writes them; anything else is text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
