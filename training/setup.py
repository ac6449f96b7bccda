"""From the options of the command line to a run that is ready to start."""

import argparse
import copy
import logging
import time
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn

from sr_hub.base import SRModel
from sr_hub.degrade import SUPPORT
from sr_hub.errors import SRHubError
from sr_hub.folder import read_config
from sr_hub.models import MODELS, load_model
from sr_hub.precision import pick_precision
from training.checkpoint import LAST_FILE, State, read_state, warm_start
from training.config import TrainConfig
from training.discriminators import DISCRIMINATORS
from training.lock import hold
from training.material import read_material
from training.muon import Muon
from training.parallel import from_main
from training.recipes import RECIPES
from training.recorded import RecordedStep
from training.resume import check_changes, introduce, saved_config
from training.run import Run
from training.steps import Context
from training.validation import Distance
from training.vgg import MIN_SIDE, POOLED, VGG19

logger = logging.getLogger(__name__)

SCALE = 4
"""Enlargement of a new run that is given none."""

PUBLIC = Path("public")
"""In place of a file: download the weights that are public."""


def prepare(options: argparse.Namespace, *, started: float | None = None) -> Run:
    """The run that the options of `training.train` describe.

    Raises:
        SRHubError: if they, the pictures or the saved state are at fault.
    """
    accelerator = Accelerator()
    config = choose_config(options)
    torch.manual_seed(config.seed)
    if accelerator.device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    context = build_context(config, accelerator.device, options.vgg_weights)
    state = build_state(config, accelerator.device, options)
    if options.fast:
        make_fast(state.generator, accelerator, config)
    if accelerator.is_main_process:
        hold(options.out)
    scale = state.generator.scale
    side = (config.patch + 2 * SUPPORT) * scale
    data, val = read_material(options, accelerator, side=side, scale=scale)
    lpips = build_lpips(options.lpips_weights)
    started = time.monotonic() if started is None else started
    run = Run(
        config,
        state,
        context,
        data,
        val,
        options.out,
        accelerator,
        minutes=options.minutes,
        lpips=lpips,
        started=started,
        recorded=RecordedStep(state, context) if options.fast else None,
    )
    resumed = from_main(accelerator, options.resume and (options.out / LAST_FILE).exists())
    if resumed:
        run.load()
    introduce(run, options, resumed=resumed)
    return run


def make_fast(generator: SRModel, accelerator: Accelerator, config: TrainConfig) -> None:
    """Refuse what cannot be recorded, and let an RRIM compute by its kernels for a GPU.

    Raises:
        SRHubError: without a CUDA GPU or Triton, with several processes, or if the losses change.
    """
    if accelerator.device.type != "cuda":
        raise SRHubError("--fast needs a CUDA GPU: leave it out here")
    if accelerator.num_processes > 1:
        raise SRHubError("--fast is for one process: leave it out of a run on several")
    if config.pixel_steps:
        raise SRHubError(f"--fast: the losses change at step pixel_steps={config.pixel_steps}")
    if config.architecture == "RRIM":
        try:
            from training.lines import use_lines
        except ImportError:
            raise SRHubError("--fast runs RRIM by Triton: pip install triton") from None
        use_lines(generator)


def choose_config(options: argparse.Namespace) -> TrainConfig:
    """The recipe's config, or the saved one of a run that is resumed, with the options applied.

    Raises:
        SRHubError: if the folder holds a run but is not to be resumed, or one of another recipe.
    """
    config, saved = RECIPES[options.recipe](options.scale or SCALE), None
    if (options.out / LAST_FILE).exists():
        if not options.resume:
            raise SRHubError(
                f"{options.out} holds a run: --resume goes on with it, another --out starts anew"
            )
        config = saved = saved_config(options.out, options.recipe)
    elif options.start_from:
        config = config_of_folder(config, options.start_from)
    scale = config.arguments["scale"]
    if options.scale not in (None, scale):
        advice = ": --init-from takes what fits of them" if options.start_from else ""
        raise SRHubError(
            f"--scale {options.scale}: the weights to go on from enlarge by {scale}{advice}"
        )
    names = ("steps", "batch", "patch", "lr", "seed")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    chosen = config.changed(**given).with_settings(options.settings)
    if options.start_from and chosen.arguments != config.arguments:
        changed = [k for k, v in chosen.arguments.items() if v != config.arguments.get(k)]
        there = config.arguments.get(changed[0])
        raise SRHubError(
            f"arguments.{changed[0]} is {there} in {options.start_from}: "
            f"--start-from takes the network as it is, --init-from only what fits"
        )
    if saved:
        check_changes(saved, chosen, options.out)
    return chosen


def config_of_folder(config: TrainConfig, folder: Path) -> TrainConfig:
    """`config` with the network's arguments of a Hub folder.

    Raises:
        SRHubError: if the folder holds another network.
    """
    arguments = read_config(folder)
    architecture = arguments.pop("architecture")
    if architecture != config.architecture:
        raise SRHubError(
            f"{folder} holds a {architecture}; this recipe trains a {config.architecture}"
        )
    return config.changed(arguments=arguments)


def build_state(config: TrainConfig, device: torch.device, options: argparse.Namespace) -> State:
    """Networks and optimizers, new or with the weights that the options name, on `device`."""
    if config.architecture not in MODELS:
        raise SRHubError(f"no network {config.architecture!r}: {', '.join(MODELS)}")
    network = MODELS[config.architecture]
    if options.start_from:
        generator: SRModel = network.from_folder(options.start_from)
    else:
        try:
            generator = network(**config.arguments)
        except TypeError as error:
            raise SRHubError(str(error)) from None
    if options.init_from:
        begin_with(generator, options.init_from)
    generator = generator.to(device, memory_format=torch.channels_last).train()
    ema = copy.deepcopy(generator).eval().requires_grad_(False)
    state = State(generator, ema, _optimizer(config, generator, config.lr))
    if config.is_gan:
        discriminator = DISCRIMINATORS[config.discriminator](**config.discriminator_arguments)
        if options.discriminator_from:
            take_over_discriminator(discriminator, options.discriminator_from)
        state.discriminator = discriminator.to(device, memory_format=torch.channels_last)
        state.discriminator_optimizer = _optimizer(
            config, state.discriminator, config.discriminator_lr
        )
    elif options.discriminator_from:
        raise SRHubError("--discriminator-from: this recipe has no discriminator")
    return state


def begin_with(generator: SRModel, model: str) -> None:
    """Take over what fits of a model, and say what does not, and by which arguments it would."""
    source = load_model(model)
    taken = warm_start(generator, source)
    text = f"{model}: {taken}"
    if taken.left and type(source) is type(generator):
        other = source.arguments.items() - generator.arguments.items()
        settings = [f"arguments.{name}={value}" for name, value in other if name != "scale"]
        if settings:
            text += f"; more fits with --set {' '.join(sorted(settings))}"
    logger.warning("%s", text)


def take_over_discriminator(discriminator: nn.Module, folder: Path) -> None:
    """Load the discriminator of the run in `folder`; a new one takes hundreds of steps to judge.

    Raises:
        SRHubError: if the folder holds no GAN run, or the run's discriminator is another network.
    """
    path = folder / LAST_FILE
    saved = read_state(path).get("discriminator") if path.is_file() else None
    if saved is None:
        raise SRHubError(f"{folder} holds no run with a discriminator")
    try:
        discriminator.load_state_dict(saved)
    except RuntimeError:
        raise SRHubError(
            f"the discriminator of {folder} is another network than this recipe's"
        ) from None


def _optimizer(config: TrainConfig, module: nn.Module, lr: float) -> torch.optim.Optimizer:
    if config.optimizer == "momentum":
        return torch.optim.SGD(module.parameters(), lr=lr, momentum=0.9, fused=True)
    if config.optimizer == "muon" and isinstance(module, SRModel):
        return Muon(module, lr=lr, betas=config.betas, weight_decay=config.weight_decay)
    return torch.optim.Adam(module.parameters(), lr=lr, betas=config.betas, fused=True)


def build_context(config: TrainConfig, device: torch.device, vgg_weights: Path | None) -> Context:
    """The precision, and VGG19 for a run with a perceptual loss, in that precision."""
    autocast = pick_precision(config.precision, device) == "bf16"
    if not config.is_perceptual:
        return Context(config, device, autocast)
    side = config.patch * config.arguments.get("scale", 4)
    least = MIN_SIDE + POOLED - 1
    if side < least:
        raise SRHubError(f"VGG19 needs {least} pixels, patch={config.patch} enlarged has {side}")
    vgg = VGG19(
        tuple(config.vgg_layers),
        weights=vgg_weights,
        before_activation=config.vgg_before_activation,
    )
    dtype = torch.bfloat16 if autocast else torch.float32
    vgg.convolutions.to(dtype)
    return Context(config, device, autocast, vgg.to(device))


def build_lpips(weights: Path | None) -> Distance | None:
    """LPIPS with the weights of a file, with the public ones, or none at all."""
    if weights is None:
        return None
    from sr_hub.lpips import LPIPS

    return LPIPS(None if weights == PUBLIC else weights)
