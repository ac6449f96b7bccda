"""One step: losses and gradients, then the update. No files, no clock, no printing."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from sr_hub.base import SRModel
from training.checkpoint import State
from training.config import TrainConfig
from training.losses import (
    PIXEL_LOSSES,
    discriminator_adversarial,
    feature_distance,
    generator_adversarial,
)
from training.vgg import POOLED, VGG19


@dataclass(frozen=True)
class Context:
    """What a step needs besides the state and the batch."""

    config: TrainConfig
    device: torch.device
    autocast: bool = False
    vgg: VGG19 | None = None

    def precision(self) -> torch.autocast:
        """A context in which the networks run in bfloat16, if this run does that."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast)

    def perceptual(self, sr: Tensor, hr: Tensor) -> Tensor:
        """The perceptual loss; `hr` gets no gradient."""
        config = self.config
        with torch.no_grad():
            target = self.vgg(hr)
        return feature_distance(self.vgg(sr), target, config.vgg_layers, config.vgg_norm)


def grid_corner(seed: int, step: int) -> Tensor:
    """The corner (2,), row and column, from which VGG19 looks at the patches of a step.

    Its stream is another than that of the crops, [seed, step, rank], which fills up with zeros.
    """
    return torch.from_numpy(np.random.default_rng([seed, step, 0, 1]).integers(POOLED, size=2))


def off_the_grid(*images: Tensor, corner: Tensor) -> list[Tensor]:
    """`images` (N, C, H, W) from `corner` (2,) on, each side `POOLED` - 1 pixels shorter.

    The pools of VGG19 see every second, fourth and eighth pixel. A generator whose pixels always
    fall on the same places of that grid learns to draw it.
    """
    rows, columns = (
        first + torch.arange(side - POOLED + 1, device=first.device)
        for first, side in zip(corner, images[0].shape[-2:], strict=True)
    )
    return [image.index_select(-2, rows).index_select(-1, columns) for image in images]


def learning_rate_factor(config: TrainConfig, step: int) -> float:
    """The part of the peak learning rate that applies at `step`, in [0, 1]."""
    if step < config.warmup:
        return (step + 1) / config.warmup
    if config.schedule == "cosine":
        progress = min(1.0, (step - config.warmup) / max(1, config.steps - config.warmup))
        return 0.5 * (1 + math.cos(math.pi * progress))
    if config.schedule == "halving":
        return 0.5 ** sum(step >= config.steps * mark for mark in (1 / 8, 1 / 4, 1 / 2, 3 / 4))
    return 1.0


def compute_gradients(
    state: State, context: Context, lr: Tensor, hr: Tensor, corner: Tensor | None = None
) -> dict[str, Tensor]:
    """Fill the gradients of the generator and, in a GAN step, of the discriminator.

    The discriminator looks once at the real and once at the generated pictures, and both players'
    gradients come from these two passes. `corner` is that of `off_the_grid`, this step's own if
    left out. Returns losses and judgements, scalars on the device.
    """
    config = context.config
    generator, pixels_only = state.generator, state.step < config.pixel_steps
    generator.train()
    for player in state.players:
        player.zero_grad(set_to_none=True)
    with context.precision():
        sr = generator(lr.contiguous(memory_format=torch.channels_last)).float()
    terms = {n: loss(sr, hr) for n, loss in PIXEL_LOSSES.items() if config.losses.get(n)}
    if config.is_perceptual and not pixels_only:
        if corner is None:
            corner = grid_corner(config.seed, state.step).to(sr.device)
        seen = off_the_grid(sr, hr, corner=corner)
        terms["perceptual"] = context.perceptual(*seen)
    roots = {config.losses[name] * term: None for name, term in terms.items()}
    judgements = {}
    if config.is_gan and not pixels_only:
        roots[sr], judgements = _play(state, context, sr, hr)
        terms["adversarial"] = judgements.pop("adversarial")
    torch.autograd.backward(list(roots), list(roots.values()))
    total = sum(config.losses[name] * term for name, term in terms.items())
    return {n: t.detach() for n, t in {"loss": total, **terms, **judgements}.items()}


def _play(
    state: State, context: Context, sr: Tensor, hr: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Fill the discriminator's gradients; what the adversarial loss wants of `sr`, and numbers."""
    config, discriminator = context.config, state.discriminator
    discriminator.train()
    seen = sr.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
    with context.precision():
        real = discriminator(hr.contiguous(memory_format=torch.channels_last)).float()
        fake = discriminator(seen).float()
    loss = generator_adversarial(config.adversarial, real, fake)
    (push,) = torch.autograd.grad(config.losses["adversarial"] * loss, seen, retain_graph=True)
    d_loss = discriminator_adversarial(config.adversarial, real, fake)
    d_loss.backward(inputs=list(discriminator.parameters()))
    judgements = {"d_real": real.sigmoid().mean(), "d_fake": fake.sigmoid().mean()}
    return push, {"adversarial": loss, "d_loss": d_loss, **judgements}


def clip_gradients(state: State, config: TrainConfig) -> dict[str, Tensor]:
    """Scale each player's gradient down to the allowed norm; the norms before that."""
    limit = config.clip or math.inf
    norms = {"g_norm": nn.utils.clip_grad_norm_(state.generator.parameters(), limit)}
    if has_gradients(state.discriminator):
        norms["d_norm"] = nn.utils.clip_grad_norm_(state.discriminator.parameters(), limit)
    return norms


def set_rates(state: State, config: TrainConfig) -> None:
    """Give the optimizers the learning rates of this step."""
    factor = learning_rate_factor(config, state.step) * state.lr_factor
    peaks = (config.lr, config.discriminator_lr)
    for optimizer, peak in zip(state.optimizers, peaks, strict=False):
        for group in optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(peak * factor)
            else:
                group["lr"] = peak * factor


def move_weights(state: State) -> None:
    """One step of the optimizer of each player that has gradients, at the rates that are set."""
    state.generator_optimizer.step()
    if has_gradients(state.discriminator):
        state.discriminator_optimizer.step()


def average_decay(config: TrainConfig, step: int) -> float:
    """The decay of the averaged weights at `step`: lower at first, when they know little."""
    return min(config.ema, (step + 1) / (step + 10))


@torch.no_grad()
def update_average(average: SRModel, model: SRModel, decay: float) -> None:
    """Move the averaged weights towards the model's; buffers (batch norm's) are copied."""
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)
    if buffers := list(average.buffers()):
        torch._foreach_copy_(buffers, list(model.buffers()))


def has_gradients(module: nn.Module | None) -> bool:
    """Whether the last backward pass reached this network."""
    return module is not None and next(module.parameters()).grad is not None
