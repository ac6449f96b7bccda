"""What every network of this package is: an `nn.Module` that the Hub can hold.

The arguments of a network's `__init__` are its Hub config. `PyTorchModelHubMixin` records them in
`__new__`, before `__init__` runs, merged with the defaults; that is why they are keyword-only and
plain (int, float, bool, str). A Hub folder holds `config.json` (those arguments and the key
"architecture", the name of the class), `model.safetensors` and `README.md`. Nothing here knows
about pictures, devices or tiles: see `image.py` and `upscaler.py`.
"""

import copy
import json
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from huggingface_hub import PyTorchModelHubMixin
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from sr_hub.errors import SRHubError

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"


class SRModel(
    nn.Module,
    PyTorchModelHubMixin,
    library_name="sr_hub",
    pipeline_tag="image-to-image",
    license="apache-2.0",
    tags=["super-resolution", "image-super-resolution"],
):
    """A network that enlarges pictures by an integer factor.

    `forward` takes (N, 3, H, W), RGB in [0, 1], any H and W from 1, and returns
    (N, 3, scale * H, scale * W), not clamped, so that losses see the truth.
    """

    scales: ClassVar[tuple[int, ...]] = (2, 3, 4)
    """The enlargement factors that the source of the network allows."""

    scale: int

    def __init__(self, *, scale: int) -> None:
        super().__init__()
        if scale not in self.scales:
            allowed = ", ".join(str(s) for s in self.scales)
            raise SRHubError(f"{type(self).__name__} enlarges by {allowed}, not by scale={scale}")
        self.scale = scale

    @property
    def receptive_field(self) -> int:
        """How far, in input pixels to each side, an input pixel can change the output."""
        raise NotImplementedError

    @property
    def size_multiple(self) -> int:
        """Input pixels at whose multiples a tile must start to equal the whole picture."""
        return 1

    @property
    def num_parameters(self) -> int:
        """Count of trainable numbers."""
        return sum(p.numel() for p in self.parameters())

    def multiply_adds(self, height: int, width: int) -> int:
        """Multiply-adds of the convolutions for one input of `height` x `width` pixels."""
        network = copy.deepcopy(self).to("meta").eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.empty(1, 3, height, width, device="meta"))
        return counter.get_total_flops() // 2

    def _save_pretrained(self, save_directory: Path) -> None:
        config = {"architecture": type(self).__name__, **(self._hub_mixin_config or {})}
        weights = {
            name: tensor.detach().contiguous() for name, tensor in stored_tensors(self).items()
        }
        save_file(weights, save_directory / WEIGHTS_FILE, metadata={"format": "pt"})
        (save_directory / CONFIG_FILE).write_text(
            json.dumps(config, indent=2, sort_keys=True) + "\n"
        )

    @classmethod
    def from_folder(cls, folder: str | Path) -> Self:
        """The network that a Hub folder holds, in evaluation mode, on the CPU, in float32.

        Raises:
            SRHubError: if the folder holds another architecture, no config, or other weights than
                the network has.
        """
        folder = Path(folder)
        config = read_config(folder)
        architecture = config.pop("architecture")
        if architecture != cls.__name__:
            raise SRHubError(f"{folder} holds a {architecture}, not a {cls.__name__}")
        try:
            model = cls(**config)
        except TypeError as error:
            raise SRHubError(f"{folder / CONFIG_FILE}: {error}") from None
        weights = _read_weights(folder / WEIGHTS_FILE, stored_tensors(model))
        model.load_state_dict(weights, strict=False)  # the names were compared above
        return model.eval()


def stored_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The parameters and buffers that a checkpoint holds; one that is shared appears once."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def read_config(folder: Path) -> dict[str, Any]:
    """The content of a Hub folder's `config.json`, which names its architecture.

    Raises:
        SRHubError: if it is missing, is not JSON or lacks the key "architecture".
    """
    path = folder / CONFIG_FILE
    try:
        config = json.loads(path.read_text())
    except FileNotFoundError:
        raise SRHubError(
            f"{folder} has no {CONFIG_FILE}: it is not a Hub folder of sr_hub"
        ) from None
    except ValueError as error:
        raise SRHubError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(config, dict) or not isinstance(config.get("architecture"), str):
        raise SRHubError(f'{path} has no "architecture": it is not a config of sr_hub')
    return config


def _read_weights(path: Path, expected: dict[str, Tensor]) -> dict[str, Tensor]:
    try:
        weights = load_file(path)
    except FileNotFoundError:
        raise SRHubError(f"{path.parent} has no {path.name}") from None
    except SafetensorError as error:
        raise SRHubError(f"{path} is damaged: {error}") from None
    missing, extra = (
        sorted(expected.keys() - weights.keys()),
        sorted(weights.keys() - expected.keys()),
    )
    if missing or extra:
        raise SRHubError(f"{path} does not fit: missing {missing[:3]}, unexpected {extra[:3]}")
    for name, tensor in weights.items():
        if tensor.shape != expected[name].shape:
            raise SRHubError(
                f"{path} does not fit: {name} is {tuple(tensor.shape)}, not {tuple(expected[name].shape)}"
            )
    return weights
