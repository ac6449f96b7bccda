"""Discriminators: (N, 3, H, W) pictures in [0, 1] -> (N, 1) logits, higher is more real.

Used in training only; what is shipped is a generator.
"""

import inspect
from typing import Any

from torch import Tensor, nn

from sr_hub.errors import SRHubError
from sr_hub.models.rrim import InceptionModule

SLOPE = 0.2
"""Negative slope of the activations."""

POOLED = 6
"""Side of the last feature map, which SRGAN's strides reach from a patch of 96."""


class SRGANDiscriminator(nn.Module):
    """Eight 3x3 convolutions of rising width, every second with stride 2, then two dense layers.

    Args:
        channels: width of the first layer; the last has eight times as many. 64 is as published;
            32 costs a quarter.
        hidden: width of the dense layer.
        batch_norm: batch normalisation behind every convolution but the first, as published.

    23,563,649 parameters with the defaults.

    Source: Ledig et al. 2017, figure 4, https://arxiv.org/abs/1609.04802. The pooling before the
    dense layers, the identity on patches of 96, lets a patch have any size from 16.
    """

    def __init__(self, *, channels: int = 64, hidden: int = 1024, batch_norm: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, channels, 3, padding=1), _activation()]
        width = channels
        for times, stride in [(1, 2), (2, 1), (2, 2), (4, 1), (4, 2), (8, 1), (8, 2)]:
            layers += _block(width, channels * times, stride, batch_norm)
            width = channels * times
        self.features = nn.Sequential(*layers)
        self.head = _head(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """The logits of the pictures."""
        return self.head(self.features(x))


class InceptionDiscriminator(nn.Module):
    """SRGAN's discriminator whose convolutions of stride 1 are Inception modules.

    The report's rule for the generator holds here too: few branches with large kernels in front,
    the most branches with the smallest kernels at the end.

    Args:
        channels: width of the first module, a multiple of 4; the last has eight times as many.
        hidden: width of the dense layer.
        batch_norm: batch normalisation behind every module and every strided convolution.

    23,102,977 parameters with the defaults.

    Source: the main report, chapter 5, which proposes it as future work.
    """

    def __init__(self, *, channels: int = 64, hidden: int = 1024, batch_norm: bool = True) -> None:
        super().__init__()
        if channels % 4:
            raise SRHubError(f"channels of the discriminator: a multiple of 4, not {channels}")
        layers: list[nn.Module] = []
        width = 3
        for times, kernels in [
            (1, ("5", "7")),
            (2, ("3", "5")),
            (4, ("3", "5", "3+3", "3+3")),
            (8, ("3", "3", "3+3", "3+3")),
        ]:
            outputs = channels * times
            branches = ",".join(f"{kernel}:{outputs // len(kernels)}" for kernel in kernels)
            norm = [nn.BatchNorm2d(outputs)] if batch_norm else []
            layers += [InceptionModule(width, branches), *norm, _activation()]
            layers += _block(outputs, outputs, 2, batch_norm)
            width = outputs
        self.features = nn.Sequential(*layers)
        self.head = _head(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """The logits of the pictures."""
        return self.head(self.features(x))


def _block(inputs: int, outputs: int, stride: int, batch_norm: bool) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=not batch_norm)
    norm = [nn.BatchNorm2d(outputs)] if batch_norm else []
    return [convolution, *norm, _activation()]


def _activation() -> nn.LeakyReLU:
    return nn.LeakyReLU(SLOPE, inplace=True)


def _head(width: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(POOLED),
        nn.Flatten(),
        nn.Linear(width * POOLED**2, hidden),
        _activation(),
        nn.Linear(hidden, 1),
    )


DISCRIMINATORS: dict[str, type[nn.Module]] = {
    "SRGANDiscriminator": SRGANDiscriminator,
    "InceptionDiscriminator": InceptionDiscriminator,
}
"""Every discriminator by the name of its class."""


def check_discriminator(name: str, arguments: dict[str, Any]) -> None:
    """Refuse a discriminator that cannot be built.

    Args:
        name: one of `DISCRIMINATORS`.
        arguments: those besides its defaults, each of its default's type; numbers are at least 1.

    Raises:
        SRHubError: if there is no such discriminator, or an argument is not one of it.
    """
    if name not in DISCRIMINATORS:
        raise SRHubError(f"no discriminator {name!r}: {', '.join(DISCRIMINATORS)}")
    known = inspect.signature(DISCRIMINATORS[name]).parameters
    for key, value in arguments.items():
        if key not in known:
            raise SRHubError(f"{name} has no argument {key!r}: {', '.join(known)}")
        kind = type(known[key].default)
        if type(value) is not kind:
            raise SRHubError(f"{key} of {name} is of type {kind.__name__}, not {value!r}")
        if kind is int and value < 1:
            raise SRHubError(f"{key} of {name} is at least 1, not {value}")
