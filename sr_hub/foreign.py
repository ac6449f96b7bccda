"""Checkpoints of other projects: reading their files, and whose network is in them.

Recognised are the three generations of ESRGAN's parameter names, the two of BasicSR's SRResNet and
Real-ESRGAN's compact network. The arguments of the network are read off the shapes.
"""

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from sr_hub.errors import SRHubError, one_line
from sr_hub.folder import PICKLES

WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict", "model", "net_g", "net")
"""Keys under which trainers keep the weights, the averaged ones first."""

PREFIXES = ("module.", "_orig_mod.", "netG.", "generator.")
"""What parallel and compiled modules put in front of every name."""

State = dict[str, Tensor]


@dataclass(frozen=True)
class Layout:
    """One way of naming the parameters of one network."""

    title: str
    architecture: str
    marks: tuple[str, ...]
    """Names that all must be there for the layout to be recognised."""
    arguments: Callable[[State], dict[str, Any]]
    """The arguments of the network, from its renamed weights."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Regular expressions for whole names, without ".weight" or ".bias", and our names."""

    def rename(self, name: str) -> str:
        """Our name of a parameter; a name that the layout does not have stays."""
        stem, dot, kind = name.rpartition(".")
        for pattern, ours in self.renames.items():
            if match := re.fullmatch(pattern, stem):
                return match.expand(ours) + dot + kind
        return name


def _rrdbnet(state: State) -> dict[str, Any]:
    first, last = state["conv_first.weight"], state["conv_last.weight"]
    scales = {3: 4, 12: 2, 48: 1}
    if first.shape[1] not in scales or last.shape[0] != 3:
        raise SRHubError(
            f"it takes {first.shape[1]} channels and gives {last.shape[0]}; only RGB pictures to "
            f"RGB pictures are converted"
        )
    if "conv_up1.weight" not in state or "conv_up2.weight" not in state:
        raise SRHubError(
            "it does not have two upsampling steps; only x4, and x1 or x2 with pixel-unshuffle, "
            "are converted"
        )
    return {
        "scale": scales[first.shape[1]],
        "channels": first.shape[0],
        "blocks": _count(state, r"body\.(\d+)\."),
        "growth": state["body.0.rdb1.conv1.weight"].shape[0],
    }


def _msrresnet(state: State) -> dict[str, Any]:
    first, wide = state["conv_first.weight"], state["upconv1.weight"]
    step = round((wide.shape[0] / first.shape[0]) ** 0.5)
    return {
        "scale": step * step if "upconv2.weight" in state else step,
        "channels": first.shape[0],
        "blocks": _count(state, r"body\.(\d+)\."),
    }


def _compact(state: State) -> dict[str, Any]:
    first = state["body.0.weight"]
    last = _count(state, r"body\.(\d+)\.") - 1
    return {
        "scale": round((state[f"body.{last}.weight"].shape[0] / 3) ** 0.5),
        "channels": first.shape[0],
        "convs": (last - 2) // 2,
    }


LAYOUTS = (
    Layout(
        "ESRGAN, old names (model.0...)",
        "RRDBNet",
        ("model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight", "model.10.weight"),
        _rrdbnet,
        {
            r"model\.0": "conv_first",
            r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0": r"body.\1.rdb\2.conv\3",
            r"model\.1\.sub\.\d+": "conv_body",
            r"model\.3": "conv_up1",
            r"model\.6": "conv_up2",
            r"model\.8": "conv_hr",
            r"model\.10": "conv_last",
        },
    ),
    Layout(
        "ESRGAN, names of its paper's code (RRDB_trunk...)",
        "RRDBNet",
        ("conv_first.weight", "RRDB_trunk.0.RDB1.conv1.weight", "conv_last.weight"),
        _rrdbnet,
        {
            r"RRDB_trunk\.(\d+)\.RDB(\d)\.conv(\d)": r"body.\1.rdb\2.conv\3",
            "trunk_conv": "conv_body",
            r"upconv(\d)": r"conv_up\1",
            "HRconv": "conv_hr",
        },
    ),
    Layout(
        "ESRGAN, names of BasicSR (body...)",
        "RRDBNet",
        ("conv_first.weight", "body.0.rdb1.conv1.weight", "conv_last.weight"),
        _rrdbnet,
    ),
    Layout(
        "MSRResNet of BasicSR",
        "MSRResNet",
        ("conv_first.weight", "body.0.conv1.weight", "upconv1.weight", "conv_hr.weight"),
        _msrresnet,
    ),
    Layout(
        "MSRResNet, older names (recon_trunk...)",
        "MSRResNet",
        ("conv_first.weight", "recon_trunk.0.conv1.weight", "upconv1.weight", "HRconv.weight"),
        _msrresnet,
        {r"recon_trunk\.(\d+)\.conv(\d)": r"body.\1.conv\2", "HRconv": "conv_hr"},
    ),
    Layout(
        "SRVGGNetCompact of Real-ESRGAN",
        "SRVGGNetCompact",
        ("body.0.weight", "body.1.weight", "body.2.weight"),
        _compact,
    ),
)


def recognise(state: State, architecture: str | None = None) -> tuple[Layout, State]:
    """The layout that `state` has, and its tensors under the names of this package.

    Args:
        state: parameter names, without wrappers and prefixes, and tensors.
        architecture: the only network to consider, instead of every one.

    Raises:
        SRHubError: if it is none of the known layouts.
    """
    known = [each for each in LAYOUTS if architecture in (None, each.architecture)]
    if not known:
        names = ", ".join(dict.fromkeys(layout.architecture for layout in LAYOUTS))
        raise SRHubError(f"foreign weights are converted to {names}, not to {architecture}")
    for layout in known:
        if all(mark in state for mark in layout.marks):
            return layout, {layout.rename(name): tensor for name, tensor in state.items()}
    kinds = "; ".join(layout.title for layout in known)
    raise SRHubError(f"its names (like {next(iter(state))}) are none of the known layouts: {kinds}")


def read_state(path: Path) -> State:
    """The tensors of a checkpoint file under their names, without wrappers and prefixes.

    Pickles are read by PyTorch's restricted unpickler, which builds tensors and plain containers
    and runs nothing.

    Raises:
        SRHubError: if the file is missing, damaged, holds more than tensors, or no tensors.
    """
    content = _read(path)
    for key in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not content:
        raise SRHubError(f"{path} holds no named tensors")
    for name, tensor in content.items():
        if not isinstance(name, str) or not _is_plain(tensor):
            raise SRHubError(f"{path} holds {name!r}, which is not a tensor of weights")
    if sum(t.numel() * t.element_size() for t in content.values()) > path.stat().st_size:
        raise SRHubError(f"{path} claims more numbers than it holds")
    return _without_prefixes(dict(content))


def _read(path: Path) -> object:
    if not path.is_file():
        raise SRHubError(f"there is no file {path}")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise SRHubError(f"{path} is damaged: {error}") from None
    if path.suffix not in PICKLES:
        raise SRHubError(f"{path} is not a checkpoint: {', '.join(PICKLES)} or .safetensors")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the protocol of the pickle
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged or hostile pickle raises has no common type
        if kind := re.search(r"Unsupported global: GLOBAL (\S+)", str(error)):
            raise SRHubError(
                f"{path} holds more than tensors ({kind[1]}) and may run code; it was not opened: "
                f"save the state_dict() alone where you trust it"
            ) from None
        reason = one_line(error)[:120]
        raise SRHubError(
            f"{path} is damaged, or holds more than tensors and may run code; it was not opened "
            f"({type(error).__name__}: {reason})"
        ) from None


def _is_plain(value: object) -> bool:
    return (
        isinstance(value, Tensor)
        and value.device.type == "cpu"
        and value.layout is torch.strided
        and not value.is_quantized
    )


def _without_prefixes(state: State) -> State:
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in state):
            return _without_prefixes({name.removeprefix(prefix): t for name, t in state.items()})
    return state


def _count(state: State, pattern: str) -> int:
    """One more than the largest number that `pattern` finds at the start of a name."""
    numbers = [int(match[1]) for name in state if (match := re.match(pattern, name))]
    return max(numbers) + 1
