"""LPIPS, the learned distance of GAN papers, as an option: it needs the package lpips and weights.

Source: Zhang, Isola, Efros, Shechtman and Wang 2018, https://arxiv.org/abs/1801.03924; version 0.1
with SqueezeNet 1.1, the smallest of its three backbones.
"""

import math
import pickle
import warnings
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor

from sr_hub import torchvision_repair
from sr_hub.degrade import quantise
from sr_hub.errors import SRHubError
from sr_hub.metrics import LPIPS_MIN_SIZE, check_pair


class LPIPS:
    """The distance; 0 for equal pictures, lower is better.

    Args:
        backbone: file with the weights of torchvision's SqueezeNet 1.1 (a state dict, any float
            type). None downloads torchvision's own. The linear layers come with lpips.

    Raises:
        SRHubError: if lpips is not installed, or the weights cannot be read or downloaded.
    """

    def __init__(self, backbone: Path | None = None) -> None:
        package = _package()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torchvision's word about `pretrained`
            try:
                self.network = package.LPIPS(
                    net="squeeze", pnet_rand=backbone is not None, verbose=False
                )
            except URLError as error:
                raise SRHubError(
                    f"the weights of SqueezeNet cannot be downloaded ({error.reason}); "
                    "give a file with --lpips-weights"
                ) from None
        if backbone is not None:
            self.network.net.load_state_dict(_backbone(backbone, self.network.net))

    @torch.inference_mode()
    def __call__(self, sr: Tensor, hr: Tensor) -> float:
        """LPIPS of two pictures (1, 3, H, W) in [0, 1]; NaN under 17 pixels a side."""
        check_pair(sr, hr)
        if min(hr.shape[-2:]) < LPIPS_MIN_SIZE:
            return math.nan
        return float(self.network(quantise(sr.float()), quantise(hr.float()), normalize=True))


def _package() -> Any:  # noqa: ANN401
    torchvision_repair.install()
    try:
        import lpips
    except ImportError:
        raise SRHubError("LPIPS needs the package lpips: pip install 'sr_hub[eval]'") from None
    return lpips


def _backbone(path: Path, network: torch.nn.Module) -> dict[str, Tensor]:
    """The weights of a SqueezeNet file under the names that lpips gives them."""
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise SRHubError(f"no file {path} with weights for LPIPS") from None
    except (RuntimeError, EOFError, pickle.UnpicklingError):
        raise SRHubError(f"{path} cannot be read as PyTorch weights") from None
    renamed = {}
    for name in network.state_dict():  # slice3.7.squeeze.weight is features.7.squeeze.weight
        source = "features." + name.split(".", 1)[1]
        if not isinstance(weights, dict) or source not in weights:
            raise SRHubError(f"{path} is not SqueezeNet 1.1 of torchvision: it has no {source}")
        renamed[name] = weights[source].float()
    return renamed
