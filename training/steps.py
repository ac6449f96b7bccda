"""One step: losses and gradients, then the update. No files, no clock, no printing."""

import math
from dataclasses import dataclass

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
from training.perceptual import VGG19


@dataclass(frozen=True)
class Context:
    """What a step needs besides the state and the batch."""

    config: TrainConfig
    device: torch.device
    autocast: bool
    vgg: VGG19 | None = None

    def precision(self) -> torch.autocast:
        """A context in which the networks run in bfloat16, if this run does that."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast)


def learning_rate_factor(config: TrainConfig, step: int) -> float:
    """The part of the peak learning rate that applies at `step`, in [0, 1]."""
    if step < config.warmup:
        return (step + 1) / config.warmup
    progress = min(1.0, (step - config.warmup) / max(1, config.steps - config.warmup))
    if config.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * progress))
    if config.schedule == "halving":
        return 0.5 ** sum(step >= config.steps * mark for mark in (1 / 8, 1 / 4, 1 / 2, 3 / 4))
    return 1.0


def compute_gradients(state: State, context: Context, lr: Tensor, hr: Tensor) -> dict[str, Tensor]:
    """Fill the gradients of the generator and, in a GAN step, of the discriminator.

    The discriminator looks once at the real and once at the generated pictures; both players'
    gradients come from these two passes. Returns the losses and logits, as scalars on the device.
    """
    config = context.config
    state.generator_optimizer.zero_grad(set_to_none=True)
    with context.precision():
        sr = state.generator(lr.contiguous(memory_format=torch.channels_last))
    sr = sr.float()
    terms = {n: PIXEL_LOSSES[n](sr, hr) for n in config.losses if n in PIXEL_LOSSES}
    gan = state.discriminator is not None and state.step >= config.pixel_steps
    if context.vgg is not None and state.step >= config.pixel_steps:
        terms["perceptual"] = _perceptual(context, sr, hr)
    loss = sum(config.losses[name] * term for name, term in terms.items())
    if gan:
        push, adversarial = _adversarial(state, context, sr, hr)
        torch.autograd.backward([loss, sr], [None, push])
    else:
        adversarial = {}
        loss.backward()
    terms = {**terms, **adversarial}
    total = sum(w * terms[name].detach() for name, w in config.losses.items() if name in terms)
    return {"loss": total, **{name: term.detach() for name, term in terms.items()}}


def _perceptual(context: Context, sr: Tensor, hr: Tensor) -> Tensor:
    with torch.no_grad():
        target = context.vgg(hr)
    return feature_distance(context.vgg(sr), target, context.config.vgg_layers)


def _adversarial(
    state: State, context: Context, sr: Tensor, hr: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Fill the discriminator's gradients; the gradient of the adversarial loss by `sr`, and numbers."""
    config, discriminator = context.config, state.discriminator
    state.discriminator_optimizer.zero_grad(set_to_none=True)
    seen = sr.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
    with context.precision():
        real = discriminator(hr.contiguous(memory_format=torch.channels_last)).float()
        fake = discriminator(seen).float()
    g_loss = generator_adversarial(config.adversarial, real, fake)
    weighted = config.losses["adversarial"] * g_loss
    (push,) = torch.autograd.grad(weighted, seen, retain_graph=True)
    d_loss = discriminator_adversarial(config.adversarial, real, fake)
    d_loss.backward(inputs=list(discriminator.parameters()))
    numbers = {
        "adversarial": g_loss,
        "d_loss": d_loss,
        "d_real": real.sigmoid().mean(),
        "d_fake": fake.sigmoid().mean(),
    }
    return push, numbers


def clip_gradients(state: State, config: TrainConfig) -> dict[str, Tensor]:
    """Scale each player's gradient down to the allowed norm; the norms before that."""
    norms = {"g_norm": nn.utils.clip_grad_norm_(state.generator.parameters(), config.clip)}
    if _has_gradients(state.discriminator):
        norms["d_norm"] = nn.utils.clip_grad_norm_(state.discriminator.parameters(), config.clip)
    return norms


def apply_gradients(state: State, config: TrainConfig) -> None:
    """Move the weights of both players by one step, and the average after the generator's."""
    factor = learning_rate_factor(config, state.step) * state.lr_factor
    _step(state.generator_optimizer, config.lr * factor)
    if _has_gradients(state.discriminator):
        _step(state.discriminator_optimizer, config.discriminator_lr * factor)
    update_average(state.ema, state.generator, min(config.ema, (state.step + 1) / (state.step + 10)))


@torch.no_grad()
def update_average(average: SRModel, model: SRModel, decay: float) -> None:
    """Move the averaged weights towards the model's; buffers (batch norm's) are copied."""
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)
    for kept, current in zip(average.buffers(), model.buffers(), strict=True):
        kept.copy_(current)


def _step(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.step()


def _has_gradients(module: nn.Module | None) -> bool:
    return module is not None and any(p.grad is not None for p in module.parameters())
