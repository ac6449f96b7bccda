"""fp32 or bf16, and what keeps bf16 from being seen in the picture."""

import copy

import torch
from torch import Tensor, nn

from sr_hub.base import SRModel
from sr_hub.errors import SRHubError


def pick_precision(precision: str, device: torch.device) -> str:
    """What is asked for, "fp32" or "bf16"; for "auto", bf16 where `device` computes in it.

    Raises:
        SRHubError: if it is none of the three.
    """
    if precision not in ("auto", "fp32", "bf16"):
        raise SRHubError(f"precision {precision!r}: use auto, fp32 or bf16")
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp32"
    # CPUs without the instructions emulate bf16, and are slower with it than with fp32.
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return "bf16" if device.type == "cpu" and native() else "fp32"


def with_precise_output(model: SRModel) -> nn.Module:
    """`model` for autocast: the same weights, not copied, its last convolution kept in float32.

    bf16 has eight bits of precision, so that bright values of a bf16 output would come in steps of
    an 8-bit file's; in front of the last convolution its errors average out. A network with a
    bicubic skip is returned as it is: its last convolution gives a small correction, in steps far
    finer than those, and the skip is added in float32. Kept in float32, the 9 x 9 convolution to
    three channels would take a third of RRIM's time.
    """
    if getattr(model, "bicubic_skip", False):
        return model
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    network = copy.deepcopy(model, shared)
    last = last_convolution(network)
    network.set_submodule(last, _Float32(network.get_submodule(last)))
    return network


def last_convolution(model: nn.Module) -> str:
    """The name of the convolution that a network registers last, and runs last."""
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    return [name for name, layer in model.named_modules() if isinstance(layer, kinds)][-1]


class _Float32(nn.Module):
    """A layer that computes in float32 inside an autocast region."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return self.layer(x.float())
