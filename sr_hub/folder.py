"""A Hub folder on disk: `config.json`, `model.safetensors` and `README.md`.

Whoever can make a user load a folder chooses every byte of it, so nothing in it is believed before
it is compared: the config's keys and types with the arguments of the network, the sizes in the
header of the weights with the network as it would be, built on the "meta" device where nothing is
allocated, and only then are the weights read. Pickles are never opened.
"""

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from sr_hub.errors import SRHubError, first_line
from sr_hub.files import write_text, write_whole
from sr_hub.soundness import Network, build_for, converted, stored_tensors

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "README.md"
SOURCE_FILE = "source.json"
TRAINING_FILE = "training.json"
SPEED_FILE = "speed.json"
RUN_FILE = "run.json"
METRICS_FILE = "metrics.json"
"""By this file of `training` a folder is known to hold a run, not a checkpoint."""

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")

MAX_CONFIG_BYTES = 100_000

_SNAPSHOT = re.compile(r"models--([^/]+)/snapshots/[0-9a-f]{40}")
"""How the Hub's client stores a commit of a repository."""


def read_config(folder: Path) -> dict[str, Any]:
    """The content of a Hub folder's `config.json`, which names its architecture.

    Raises:
        SRHubError: if the folder or the config is missing, is not JSON or lacks the key
            "architecture".
    """
    path = folder / CONFIG_FILE
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise SRHubError(f"{path} is larger than {MAX_CONFIG_BYTES} bytes: not a config")
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SRHubError(_why_no_config(folder)) from None
    except (ValueError, RecursionError) as error:
        raise SRHubError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(config, dict) or not isinstance(config.get("architecture"), str):
        raise SRHubError(f'{path} has no "architecture": it is not a config of sr_hub')
    return config


def _why_no_config(folder: Path) -> str:
    if not folder.is_dir():
        return f"there is no folder {folder}"
    if (folder / RUN_FILE).is_file():
        inside = "best" if (folder / "best").is_dir() else "model"
        return f"{folder} is a training run: name {folder / inside}"
    return f"{folder} has no {CONFIG_FILE}: it is not a Hub folder of sr_hub"


def run_around(folder: Path) -> Path | None:
    """The training run whose generator a Hub folder holds, if `run.json` alone tells of it.

    None for any other folder, and for one with its own `training.json`.
    """
    around = (folder if folder.name not in ("", "..") else folder.resolve()).parent
    is_told = (around / RUN_FILE).is_file() and not (folder / TRAINING_FILE).is_file()
    return around if is_told and _is_generator(folder.resolve().name) else None


def _is_generator(name: str) -> bool:
    return name in ("best", "model") or name.startswith("step-")


def name_of(folder: Path) -> str:
    """What results call a Hub folder: its last name, after that of the run that it lies in.

    A snapshot in the cache of the Hub goes by its repository, "user/repo".
    """
    folder = folder.resolve()
    if snapshot := _SNAPSHOT.fullmatch("/".join(folder.parts[-3:])):
        return snapshot[1].replace("--", "/", 1)
    return Path(*folder.parts[-2:]).as_posix() if _is_generator(folder.name) else folder.name


def load_folder(
    network: type[Network], folder: Path, arguments: dict[str, Any] | None = None
) -> Network:
    """The `network` that a Hub folder holds, in evaluation mode, on the CPU, in float32.

    Args:
        network: the class.
        folder: with config and weights.
        arguments: of the class, in place of what the config says.

    Raises:
        SRHubError: if the folder holds another architecture, lacks a file, or its config or
            weights are not those of the network; nothing large is allocated before that is known.
    """
    config = read_config(folder)
    architecture = config.pop("architecture")
    if architecture != network.__name__:
        raise SRHubError(
            f"{folder} holds the network {architecture}, not {network.__name__}: "
            "sr_hub.load_model finds the class by itself"
        )
    path = folder / WEIGHTS_FILE
    given = f" with the given {', '.join(arguments)}" if arguments else ""
    config |= arguments or {}
    try:
        with safe_open(path, framework="pt") as weights:
            names = weights.keys()
            shapes = {name: tuple(weights.get_slice(name).get_shape()) for name in names}
            model = build_for(network, config, shapes, folder / CONFIG_FILE, path, given)
            tensors = {name: weights.get_tensor(name) for name in shapes}
    except FileNotFoundError:
        raise SRHubError(f"{folder} has no {WEIGHTS_FILE}{_pickles_hint(folder)}") from None
    except (SafetensorError, OSError) as error:
        if _is_pointer(path):
            raise SRHubError(
                f"{path} is a pointer of Git LFS, not the weights: `git lfs install`, then get the "
                "files again"
            ) from None
        raise SRHubError(
            f"{path} is damaged or not a safetensors file: {first_line(error)}"
        ) from None
    expected = stored_tensors(model)
    sound = {name: converted(path, name, t, expected[name]) for name, t in tensors.items()}
    model.load_state_dict(sound, strict=False, assign=True)  # the names were compared above
    for name, buffer in dict(model.named_buffers()).items():
        if buffer.is_meta:  # not persistent: no part of a state_dict, but of the file
            owner, _, attribute = name.rpartition(".")
            setattr(model.get_submodule(owner), attribute, sound[name])
    return model.float().eval()  # built in torch's default type, which may be another


def save_folder(model: nn.Module, config: dict[str, Any], folder: Path) -> None:
    """Write the weights and the config of `model`, each file whole, into `folder`.

    Where float16 holds every number exactly, as after loading a checkpoint that is stored in it,
    the file is in float16 too: what was loaded is saved as the same bytes.

    Raises:
        SRHubError: if `load_folder` would refuse what is to be written, or it cannot be written.
    """
    tensors = {name: t.detach().contiguous() for name, t in stored_tensors(model).items()}
    _check_loadable(model, config, folder, tensors)
    if all(torch.equal(t.half().to(t.dtype), t) for t in tensors.values() if t.is_floating_point()):
        tensors = {n: t.half() if t.is_floating_point() else t for n, t in tensors.items()}
    config = {"architecture": type(model).__name__, **config}
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    # Not `save_file`, which makes the file unreadable to anybody else.
    weights = save(tensors, metadata={"format": "pt"})
    write_whole(folder / WEIGHTS_FILE, lambda path: path.write_bytes(weights))
    write_text(folder / CONFIG_FILE, text)


def _check_loadable(
    model: nn.Module, config: dict[str, Any], folder: Path, tensors: dict[str, Tensor]
) -> None:
    path = folder / WEIGHTS_FILE
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    try:
        network = build_for(type(model), config, shapes, folder / CONFIG_FILE, path)
        expected = stored_tensors(network)
        for name, tensor in tensors.items():
            converted(path, name, tensor, expected[name])
    except SRHubError as error:
        raise SRHubError(f"not saved, since it would not load: {error}") from None


def _pickles_hint(folder: Path) -> str:
    pickles = [path.name for path in folder.iterdir() if path.suffix in PICKLES]
    if not pickles:
        return ""
    return f"; {pickles[0]} can hold code and is not opened: see `python -m sr_hub convert`"


def _is_pointer(path: Path) -> bool:
    """Whether Git without LFS has left a few lines of text in place of a large file."""
    with path.open("rb") as file:
        return file.read(24) == b"version https://git-lfs."
