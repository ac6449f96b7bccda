"""Discriminators: (N, 3, H, W) pictures in [0, 1] -> (N, 1) logits, higher is more real.

Used in training only; what is shipped is a generator.
"""

import torch
from torch import Tensor, nn

SLOPE = 0.2
"""Negative slope of the activations."""

POOLED = 6
"""Side of the last feature map, which SRGAN reaches by its strides from a patch of 96."""


class SRGANDiscriminator(nn.Module):
    """Eight 3x3 convolutions of rising width, every second with stride 2, then two dense layers.

    Args:
        channels: width of the first layer; the last has eight times as many. 64 is as published,
            32 costs a quarter.
        hidden: width of the dense layer.
        batch_norm: batch normalisation behind every convolution but the first, as published.

    Source: Ledig et al. 2017, figure 4; the pooling lets a patch have any size.
    """

    def __init__(
        self, *, channels: int = 64, hidden: int = 1024, batch_norm: bool = True
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, channels, 3, padding=1), _activation()]
        width = channels
        for outputs, stride in [(1, 2), (2, 1), (2, 2), (4, 1), (4, 2), (8, 1), (8, 2)]:
            layers.append(_strided(width, channels * outputs, stride, bias=not batch_norm))
            if batch_norm:
                layers.append(nn.BatchNorm2d(channels * outputs))
            layers.append(_activation())
            width = channels * outputs
        self.features = nn.Sequential(*layers)
        self.head = _head(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


def _strided(inputs: int, outputs: int, stride: int, *, bias: bool) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=bias)


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


DISCRIMINATORS: dict[str, type[nn.Module]] = {"SRGANDiscriminator": SRGANDiscriminator}
"""Every discriminator by the name of its class."""
