"""A Hub folder on disk: `config.json`, `model.safetensors` and `README.md`.

Whoever can make a user load a folder chooses every byte of it, so nothing in it is believed before
it is compared: the config's keys and types with the arguments of the network, the sizes in the
header of the weights with the network as it would be, built on the "meta" device where nothing is
allocated, and only then are the weights read. Pickles are never opened.
"""

import inspect
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sr_hub.errors import SRHubError
from sr_hub.files import write_text, write_whole

Network = TypeVar("Network", bound=nn.Module)

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "README.md"
SOURCE_FILE = "source.json"
TRAINING_FILE = "training.json"
SPEED_FILE = "speed.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")

MAX_CONFIG_BYTES = 100_000
MAX_TEXT = 1000
"""Longest text argument of a network, in characters."""

MIN_LIMIT = 1024
"""A whole number up to this is plausible in any config, however small the weights are."""


def read_config(folder: Path) -> dict[str, Any]:
    """The content of a Hub folder's `config.json`, which names its architecture.

    Raises:
        SRHubError: if it is missing, is not JSON or lacks the key "architecture".
    """
    path = folder / CONFIG_FILE
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise SRHubError(f"{path} is larger than {MAX_CONFIG_BYTES} bytes: not a config")
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SRHubError(
            f"{folder} has no {CONFIG_FILE}: it is not a Hub folder of sr_hub"
        ) from None
    except (ValueError, RecursionError) as error:
        raise SRHubError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(config, dict) or not isinstance(config.get("architecture"), str):
        raise SRHubError(f'{path} has no "architecture": it is not a config of sr_hub')
    return config


def name_of(folder: Path) -> str:
    """What results call a Hub folder: its last name, after that of the run that it lies in."""
    folder = folder.resolve()
    within_a_run = folder.name in ("best", "model") or folder.name.startswith("step-")
    return Path(*folder.parts[-2:]).as_posix() if within_a_run else folder.name


def load_folder(network: type[Network], folder: Path) -> Network:
    """The `network` that a Hub folder holds, in evaluation mode, on the CPU, in float32.

    Raises:
        SRHubError: if the folder holds another architecture, lacks a file, or its config or
            weights are not those of the network; nothing large is allocated before that is known.
    """
    config = read_config(folder)
    architecture = config.pop("architecture")
    if architecture != network.__name__:
        raise SRHubError(f"{folder} holds a {architecture}, not a {network.__name__}")
    path = folder / WEIGHTS_FILE
    try:
        with safe_open(path, framework="pt") as weights:
            names = weights.keys()
            shapes = {name: tuple(weights.get_slice(name).get_shape()) for name in names}
            _check_arguments(network, config, folder / CONFIG_FILE, shapes)
            model = _build_on_meta(network, config, folder / CONFIG_FILE, len(shapes))
            expected = stored_tensors(model)
            _compare(path, shapes, expected)
            tensors = {name: weights.get_tensor(name) for name in shapes}
    except FileNotFoundError:
        raise SRHubError(f"{folder} has no {WEIGHTS_FILE}{_pickles_hint(folder)}") from None
    except (SafetensorError, OSError) as error:
        raise SRHubError(f"{path} is damaged or not a safetensors file: {_line(error)}") from None
    sound = {name: _converted(path, name, t, expected[name]) for name, t in tensors.items()}
    model.load_state_dict(sound, strict=False, assign=True)  # the names were compared above
    for name, buffer in dict(model.named_buffers()).items():
        if buffer.is_meta:  # not persistent: no part of a state_dict, but of the file
            owner, _, attribute = name.rpartition(".")
            setattr(model.get_submodule(owner), attribute, sound[name])
    return model.eval()


def save_folder(model: nn.Module, config: dict[str, Any], folder: Path) -> None:
    """Write the weights and the config of `model`, each file whole, into `folder`.

    Where float16 holds every number exactly, as after loading a checkpoint that is stored in it,
    the file is in float16 too: what was loaded is saved as the same bytes.
    """
    tensors = {name: t.detach().contiguous() for name, t in stored_tensors(model).items()}
    if all(torch.equal(t.half().to(t.dtype), t) for t in tensors.values() if t.is_floating_point()):
        tensors = {n: t.half() if t.is_floating_point() else t for n, t in tensors.items()}
    config = {"architecture": type(model).__name__, **config}
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    # Not `save_file`, which makes the file unreadable to anybody else.
    weights = save(tensors, metadata={"format": "pt"})
    write_whole(folder / WEIGHTS_FILE, lambda path: path.write_bytes(weights))
    write_text(folder / CONFIG_FILE, text)


def stored_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The parameters and buffers that a checkpoint holds; one that is shared appears once."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def _check_arguments(
    network: type[nn.Module], config: dict[str, Any], path: Path, shapes: dict[str, tuple[int, ...]]
) -> None:
    """Refuse what the network's `__init__` does not take, and numbers beyond its weights.

    No width, depth or kernel of a network is larger than the count of its weights.
    """
    parameters = inspect.signature(network.__init__, eval_str=True).parameters
    limit = max(MIN_LIMIT, sum(math.prod(shape) for shape in shapes.values()))
    for key, value in config.items():
        if key not in parameters or key == "self":
            raise SRHubError(f'{path} has "{key}", which {network.__name__} does not know')
        kind = parameters[key].annotation
        fits = type(value) is kind or (kind is float and type(value) is int)
        if not fits or (kind is float and not math.isfinite(value)):
            wanted = getattr(kind, "__name__", str(kind))
            raise SRHubError(f'{path}: "{key}" is {_short(value)}, not a {wanted}')
        if kind is int and abs(value) > limit:
            raise SRHubError(
                f'{path}: "{key}" is {_short(value)}, but the weights are only {limit} numbers'
            )
        if kind is str and len(value) > MAX_TEXT:
            raise SRHubError(f'{path}: "{key}" is longer than {MAX_TEXT} characters')


class _Budget(TorchFunctionMode):
    """Ends the building of a network that makes far more tensors than its weights are.

    Only calls that make a tensor are counted and ended: to stop one that puts a state back, like
    the end of `torch.no_grad`, would leave that state behind.
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
        return func(*args, **(kwargs or {}))


def _build_on_meta(
    network: type[Network], config: dict[str, Any], path: Path, tensors: int
) -> Network:
    try:
        with torch.device("meta"), _Budget(tensors):
            return network(**config)
    except (SRHubError, RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise SRHubError(f"{path} does not describe a {network.__name__}: {_line(error)}") from None


def _compare(path: Path, shapes: dict[str, tuple[int, ...]], expected: dict[str, Tensor]) -> None:
    missing, extra = sorted(expected.keys() - shapes), sorted(shapes.keys() - expected)
    if missing or extra:
        parts = [
            f"{len(names)} {word}, like {names[0]}"
            for names, word in ((missing, "missing"), (extra, "unexpected"))
            if names
        ]
        raise SRHubError(f"{path} does not fit its config: {' and '.join(parts)}")
    for name, shape in shapes.items():
        if shape != tuple(expected[name].shape):
            raise SRHubError(
                f"{path} does not fit its config: {name} is {_size(shape)}, "
                f"not {_size(expected[name].shape)}"
            )


def _converted(path: Path, name: str, tensor: Tensor, expected: Tensor) -> Tensor:
    """A copy that does not depend on the file, in the type that the network computes in."""
    if tensor.is_floating_point() != expected.is_floating_point() or tensor.is_complex():
        raise SRHubError(f"{path}: {name} is {tensor.dtype}, not {expected.dtype}")
    copied = tensor.to(expected.dtype, copy=True)
    if not torch.isfinite(copied).all():
        raise SRHubError(f"{path} holds NaN or infinite numbers in {name}")
    return copied


def _pickles_hint(folder: Path) -> str:
    pickles = [path.name for path in folder.iterdir() if path.suffix in PICKLES]
    if not pickles:
        return ""
    return f"; {pickles[0]} can hold code and is not opened: see `python -m sr_hub convert`"


def _size(shape: tuple[int, ...] | torch.Size) -> str:
    return " x ".join(str(side) for side in shape) or "one number"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
