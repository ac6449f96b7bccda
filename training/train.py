"""Train a network: `python -m training.train RECIPE --data DIR --val DIR --out DIR`."""

import argparse
import ast
import copy
import logging
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from sr_hub.base import SRModel
from sr_hub.degrade import SUPPORT
from sr_hub.errors import SRHubError
from sr_hub.folder import read_config
from sr_hub.models import MODELS
from training.checkpoint import State
from training.config import TrainConfig
from training.data import Pictures
from training.discriminators import DISCRIMINATORS
from training.loop import Run, fit, resume, write_config
from training.perceptual import VGG19
from training.recipes import RECIPES
from training.steps import Context


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0, or 2 with one line on stderr if the input is at fault."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        options = parser().parse_args(arguments)
        run = prepare(options)
        fit(run)
    except SRHubError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    result = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    add = result.add_argument
    add("recipe", choices=sorted(RECIPES), metavar="RECIPE", help=", ".join(sorted(RECIPES)))
    add("--data", type=Path, required=True, help="folder of pictures or tar shards to learn from")
    add("--val", type=Path, required=True, help="folder of pictures to choose the best state by")
    add("--out", type=Path, required=True, help="folder of the run")
    add("--scale", type=int, default=4)
    add("--steps", type=int)
    add("--batch", type=int)
    add("--patch", type=int)
    add("--lr", type=float)
    add("--seed", type=int)
    add("--set", nargs="+", default=[], metavar="NAME=VALUE", dest="settings",
        help="any setting of training.config, like losses.l1=1 arguments.channels=96")
    add("--resume", action="store_true", help="go on where the run in --out stopped")
    add("--start-from", type=Path, help="Hub folder with the weights to start from")
    add("--vgg-weights", type=Path, help="VGG19 file (.npz); torchvision's if left out")
    add("--minutes", type=float, default=math.inf, help="stop, saved, after so many minutes")
    return result


def prepare(options: argparse.Namespace) -> Run:
    """The run that the options describe."""
    config = RECIPES[options.recipe](options.scale)
    names = ("steps", "batch", "patch", "lr", "seed")
    chosen = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    config = apply_settings(config.with_(**chosen), options.settings)
    if options.start_from:
        config = _like_folder(config, options.start_from)
    accelerator = Accelerator()
    torch.manual_seed(config.seed)
    state = build_state(config, accelerator.device, options.start_from)
    context = Context(config, accelerator.device, _autocast(config, accelerator.device), None)
    if "perceptual" in config.losses:
        vgg = VGG19(
            tuple(config.vgg_layers),
            weights=options.vgg_weights,
            before_activation=config.vgg_before_activation,
        ).to(accelerator.device)
        context = replace(context, vgg=vgg.to(torch.bfloat16) if context.autocast else vgg)
    data, val = Pictures.read(options.data), Pictures.read(options.val)
    data.require((config.patch + 2 * SUPPORT) * state.generator.scale)
    run = Run(config, state, context, data, val, options.out, accelerator, options.minutes)
    write_config(run)
    if options.resume:
        resume(run)
    return run


def apply_settings(config: TrainConfig, settings: list[str]) -> TrainConfig:
    """`config` with "name=value" applied; "losses.l1=1" changes one entry of a dictionary."""
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise SRHubError(f"--set takes NAME=VALUE, not {setting!r}")
        name, _, key = name.partition(".")
        value = _literal(text)
        config.with_(**{name: value})
        config = config.with_(**{name: {**getattr(config, name), key: value} if key else value})
    return config


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _like_folder(config: TrainConfig, folder: Path) -> TrainConfig:
    arguments = read_config(folder)
    architecture = arguments.pop("architecture")
    if architecture != config.architecture:
        raise SRHubError(f"{folder} holds a {architecture}, but the recipe trains a {config.architecture}")
    return config.with_(arguments=arguments)


def build_state(config: TrainConfig, device: torch.device, start_from: Path | None) -> State:
    """New networks and optimizers, on `device`."""
    network = MODELS[config.architecture]
    generator: SRModel = network.from_folder(start_from) if start_from else network(**config.arguments)
    generator = generator.to(device, memory_format=torch.channels_last).train()
    ema = copy.deepcopy(generator).eval().requires_grad_(False)
    state = State(generator, ema, _adam(config, generator, config.lr))
    if config.is_gan:
        discriminator = DISCRIMINATORS[config.discriminator](**config.discriminator_arguments)
        state.discriminator = discriminator.to(device, memory_format=torch.channels_last)
        state.discriminator_optimizer = _adam(config, state.discriminator, config.discriminator_lr)
    return state


def _adam(config: TrainConfig, module: torch.nn.Module, lr: float) -> torch.optim.Adam:
    return torch.optim.Adam(module.parameters(), lr=lr, betas=config.betas, fused=True)


def _autocast(config: TrainConfig, device: torch.device) -> bool:
    if config.precision != "auto":
        return config.precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()


if __name__ == "__main__":
    sys.exit(main())
