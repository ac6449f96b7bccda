"""Arithmetic of checkpoints: between one that is true and one that looks sharp, and beyond.

Sources: Wang et al. 2018 (ESRGAN), section 3.4, https://arxiv.org/abs/1809.00219; Ilharco et al.
2023 (task arithmetic), https://arxiv.org/abs/2212.04089.
"""

import copy
import re
from pathlib import Path

import torch

from sr_hub.base import SRModel
from sr_hub.bundled import bundled_models
from sr_hub.errors import SRHubError
from sr_hub.files import is_folder
from sr_hub.models import load_model
from sr_hub.soundness import stored_tensors

PARTNERS = {
    "rrim-x4": "rrim-gan-x4",
    "srresnet-x4": "srgan-x4",
    "rrdbnet-x4": "esrgan-x4",
}
"""The GAN checkpoint that was started from each PSNR checkpoint."""

_AT_FIDELITY = re.compile(r"(.+) at fidelity (-?\d+(?:\.\d+)?(?:e[+-]\d+)?)")
"""What `name_at` gives."""

EPSILON = 1e-5
"""What batch norm adds to a variance before it divides by it (the default of PyTorch)."""


def interpolate(model_a: SRModel, model_b: SRModel, alpha: float) -> SRModel:
    """A network whose every weight is (1 - alpha) times that of `model_a` plus alpha of `model_b`.

    Between a PSNR checkpoint and the GAN checkpoint that was started from it, this goes from the
    smallest error (0) to the sharpest look (1). Counters of batch norm are those of `model_a`.

    Args:
        model_a: what alpha 0 gives.
        model_b: what alpha 1 gives: the same class with the same arguments.
        alpha: 0 to 1.

    Raises:
        SRHubError: if the networks differ or alpha is out of range.
    """
    if not 0 <= alpha <= 1:
        raise SRHubError(f"alpha goes from 0 to 1, not {alpha}")
    _check_alike(model_a, model_b)
    mixed = copy.deepcopy(model_a)
    others = stored_tensors(model_b)
    with torch.no_grad():
        for name, tensor in stored_tensors(mixed).items():
            if tensor.is_floating_point():
                tensor.lerp_(others[name].to(tensor), alpha)
    return mixed


def carry_over(tuned: SRModel, start: SRModel, model: SRModel) -> SRModel:
    """`model` plus what training added to `start` to make `tuned`: model + (tuned - start).

    A GAN stage is carried over to weights that the PSNR stage has reached since, without training
    it again. It works as long as those weights went on from `start`. Variances of batch norm, which
    are scales, change by the factor by which `tuned` changed them; its counters are those of
    `model`.

    Args:
        tuned: of the GAN stage.
        start: where the GAN stage started.
        model: of the PSNR stage; all three the same class with the same arguments.

    Raises:
        SRHubError: if the networks differ.
    """
    _check_alike(start, tuned)
    _check_alike(model, tuned)
    carried = copy.deepcopy(model)
    after, before = stored_tensors(tuned), stored_tensors(start)
    with torch.no_grad():
        for name, tensor in stored_tensors(carried).items():
            if name.endswith("running_var"):
                tensor *= ((after[name] + EPSILON) / (before[name] + EPSILON)).to(tensor)
            elif tensor.is_floating_point():
                tensor += (after[name] - before[name]).to(tensor)
    return carried


def _check_alike(model_a: SRModel, model_b: SRModel) -> None:
    if type(model_a) is not type(model_b):
        raise SRHubError(
            f"a {type(model_a).__name__} and a {type(model_b).__name__} cannot be interpolated"
        )
    config_a, config_b = model_a.arguments, model_b.arguments
    differing = [key for key in config_a if config_a[key] != config_b.get(key)]
    if differing:
        raise SRHubError(
            f"the networks differ in {differing[0]}: {config_a[differing[0]]} and "
            f"{config_b.get(differing[0])}"
        )


def pair_of(name: str, models: dict[str, Path] | None = None) -> tuple[str, str] | None:
    """The names of the PSNR and the GAN checkpoint of which `name` is one.

    Args:
        name: of a model.
        models: those that there are, instead of the bundled ones; without both there is no pair.
    """
    there = bundled_models() if models is None else models
    pairs = (pair for pair in PARTNERS.items() if name in pair and set(pair) <= there.keys())
    return next(pairs, None)


def name_at(name: str, fidelity: float) -> str:
    """What results call the network of `load_with_fidelity`."""
    return f"{name} at fidelity {fidelity:g}"


def load_with_fidelity(
    name: str, fidelity: float, models: dict[str, Path] | None = None
) -> SRModel:
    """A network between its PSNR checkpoint (fidelity 1) and its GAN checkpoint (0).

    Args:
        name: either checkpoint of a pair in `PARTNERS`.
        fidelity: 0 to 1.
        models: name -> Hub folder of the models that there are, instead of the bundled ones.

    Raises:
        SRHubError: if the model has no partner, or fidelity is out of range.
    """
    if not 0 <= fidelity <= 1:
        raise SRHubError(f"fidelity goes from 0 (sharpest) to 1 (truest), not {fidelity}")
    there = bundled_models() if models is None else models
    pair = pair_of(name, there)
    if pair is None:
        able = [true for true in PARTNERS if pair_of(true, there)]
        raise SRHubError(
            f"fidelity needs a PSNR and a GAN checkpoint of one network, and {name} is alone: "
            f"{'use ' + ' or '.join(able) if able else 'no bundled model has both'}"
        )
    true, sharp = (load_model(there[each]) for each in pair)
    return interpolate(true, sharp, 1 - fidelity)


def split_fidelity(name: str) -> tuple[str, float] | None:
    """The model and the fidelity in a name that `name_at` gives; None for any other name."""
    found = _AT_FIDELITY.fullmatch(name)
    return None if found is None or is_folder(name) else (found[1], float(found[2]))


def load_named(name: str | Path) -> SRModel:
    """What `load_model` gives for a name, or `load_with_fidelity` for one that `name_at` gives.

    A `Path` is always a folder of its own.

    Raises:
        SRHubError: as they do.
    """
    mixed = split_fidelity(name) if isinstance(name, str) else None
    return load_with_fidelity(*mixed) if mixed else load_model(name)
