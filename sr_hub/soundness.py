"""Whether a config and weights make a network, found out before anything large is allocated.

The config's keys and types are compared with the arguments of the network, and the sizes of the
weights with the network as it would be, built on the "meta" device. `network` is always an
`SRModel`, whose mixin tells how arguments of other types are written.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sr_hub.errors import SRHubError, first_line

Network = TypeVar("Network", bound=nn.Module)

MAX_TEXT = 1000
"""Longest text argument of a network, in characters."""

MIN_LIMIT = 1024
"""A whole number up to this is plausible in any config, however small the weights are."""


def build_for(
    network: type[Network],
    config: dict[str, Any],
    shapes: dict[str, tuple[int, ...]],
    config_path: Path,
    weights_path: Path,
    given: str = "",
) -> Network:
    """The `network` of a config on the "meta" device, if weights of those shapes are its own.

    Args:
        network: the class.
        config: the arguments of its `__init__`.
        shapes: of each tensor of the weights, by its name.
        config_path: where the config is from, for errors.
        weights_path: where the weights are from, for errors.
        given: which arguments are not of the config, in words, for errors.

    Raises:
        SRHubError: if the config is not one of the network, or not one of these weights.
    """
    origin = f"{config_path}{given}"
    _check_arguments(network, config, origin, shapes)
    model = _build_on_meta(network, config, origin, len(shapes))
    _compare(f"{weights_path} does not fit its config{given}", shapes, stored_tensors(model))
    return model


def stored_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The parameters and buffers that a checkpoint holds; one that is shared appears once."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def _check_arguments(
    network: type[nn.Module],
    config: dict[str, Any],
    origin: str,
    shapes: dict[str, tuple[int, ...]],
) -> None:
    """Refuse what the network's `__init__` does not take, and numbers beyond its weights.

    No width, depth or kernel of a network is larger than the count of its weights.
    """
    parameters = parameters_of(network)
    limit = max(MIN_LIMIT, sum(math.prod(shape) for shape in shapes.values()))
    for key, value in config.items():
        if key not in parameters:
            raise SRHubError(f'{origin} has "{key}", which {network.__name__} does not know')
        annotation = parameters[key].annotation
        if annotation is inspect.Parameter.empty:
            raise SRHubError(f'{origin}: "{key}" of {network.__name__} has no type annotation')
        kind, optional = _without_none(annotation)
        if value is None and optional:
            continue
        if _is_coded(network, kind):
            _check_leaves(value, limit, f'{origin}: "{key}"')
            continue
        fits = type(value) is kind or (kind is float and type(value) is int)
        if not fits or (kind is float and not math.isfinite(value)):
            wanted = str(annotation) if optional else getattr(kind, "__name__", str(kind))
            raise SRHubError(f'{origin}: "{key}" is {_short(value)}, not a {wanted}')
        if kind is int and abs(value) > limit:
            raise SRHubError(
                f'{origin}: "{key}" is {_short(value)}, but the weights are only {limit} numbers'
            )
        if kind is str and len(value) > MAX_TEXT:
            raise SRHubError(f'{origin}: "{key}" is longer than {MAX_TEXT} characters')


def _is_coded(network: type[nn.Module], kind: object) -> bool:
    """Whether the Hub's mixin writes such arguments as JSON: dataclasses, and by `coders`."""
    coded = (*network._hub_mixin_coders,)
    return inspect.isclass(kind) and (is_dataclass(kind) or issubclass(kind, coded))


def _check_leaves(value: object, limit: int, what: str) -> None:
    """Refuse numbers and texts in the JSON of an argument that no config of its own could have."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _check_leaves(item, limit, what)
    elif isinstance(value, str) and len(value) > MAX_TEXT:
        raise SRHubError(f"{what} holds more than {MAX_TEXT} characters")
    elif isinstance(value, float) and not math.isfinite(value):
        raise SRHubError(f"{what} holds {value}")
    elif isinstance(value, int) and abs(value) > limit:
        raise SRHubError(f"{what} holds {_short(value)}, but the weights are only {limit} numbers")


def parameters_of(network: type[nn.Module]) -> dict[str, inspect.Parameter]:
    """What the network's `__init__` takes by name, with what its `**options` hand to a parent's."""
    found: dict[str, inspect.Parameter] = {}
    for owner in network.__mro__:
        if "__init__" in vars(owner):
            _, *own = inspect.signature(owner.__init__, eval_str=True).parameters.values()
            named = [
                each for each in own if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
            ]
            found = {each.name: each for each in named} | found
            if not any(each.kind is each.VAR_KEYWORD for each in own):
                break
    return found


def _without_none(annotation: object) -> tuple[object, bool]:
    """X and True for `X | None`; anything else as it is and False."""
    kinds = get_args(annotation)
    if get_origin(annotation) in (Union, UnionType) and len(kinds) == 2 and NoneType in kinds:
        return kinds[kinds[0] is NoneType], True
    return annotation, False


class _Budget(TorchFunctionMode):
    """Ends the building of a network that makes far more tensors than its weights are.

    Only calls that make a tensor are counted and ended: to stop one that puts a state back, like
    the end of `torch.no_grad`, would leave that state behind. Random weights are not drawn: for
    tensors without values torch would import its whole compiler first, which takes seconds.
    """

    MAKERS = frozenset(
        {torch.empty, torch.zeros, torch.ones, torch.full, torch.tensor, torch.rand, torch.randn}
    )

    def __init__(self, tensors: int) -> None:
        super().__init__()
        self.left = 2 * tensors + 16

    def __torch_function__(
        self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        if func in self.MAKERS:
            self.left -= 1
            if self.left < 0:
                raise SRHubError("it has many more layers than the weights")
        if func is Tensor.normal_ and args[0].is_meta:
            return args[0]
        return func(*args, **(kwargs or {}))


def _build_on_meta(
    network: type[Network], config: dict[str, Any], origin: str, tensors: int
) -> Network:
    parameters = parameters_of(network)
    try:
        with torch.device("meta"), _Budget(tensors):
            decoded = {
                key: network._decode_arg(parameters[key].annotation, value)
                for key, value in config.items()
            }
            return network(**decoded)
    except (
        *(SRHubError, RuntimeError, TypeError, ValueError, OverflowError),
        *(AttributeError, LookupError),  # of decoders
    ) as error:
        raise SRHubError(
            f"{origin} does not describe a {network.__name__}: {first_line(error)}"
        ) from None


def _compare(misfit: str, shapes: dict[str, tuple[int, ...]], expected: dict[str, Tensor]) -> None:
    missing, extra = sorted(expected.keys() - shapes), sorted(shapes.keys() - expected)
    if missing or extra:
        parts = [
            f"{len(names)} {word}, like {names[0]}"
            for names, word in ((missing, "missing"), (extra, "unexpected"))
            if names
        ]
        raise SRHubError(f"{misfit}: {' and '.join(parts)}")
    for name, shape in shapes.items():
        if shape != tuple(expected[name].shape):
            raise SRHubError(
                f"{misfit}: {name} is {_size(shape)}, not {_size(expected[name].shape)}"
            )


def converted(path: Path, name: str, tensor: Tensor, expected: Tensor) -> Tensor:
    """A copy that does not depend on the file, in the type that the network computes in.

    Raises:
        SRHubError: if that is another kind of number, or one is NaN or infinite.
    """
    if tensor.is_floating_point() != expected.is_floating_point() or tensor.is_complex():
        raise SRHubError(f"{path}: {name} is {tensor.dtype}, not {expected.dtype}")
    copied = tensor.to(expected.dtype, copy=True)
    if not torch.isfinite(copied).all():
        raise SRHubError(f"{path} holds NaN or infinite numbers in {name}")
    return copied


def _size(shape: tuple[int, ...] | torch.Size) -> str:
    return " x ".join(str(side) for side in shape) or "one number"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
