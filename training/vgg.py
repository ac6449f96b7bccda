"""The frozen VGG19 through whose features the perceptual loss looks.

Not a classifier and not trained: only its convolutions, up to the deepest layer that is asked for.
Weights come from torchvision, or from a file with the original Oxford weights.
"""

from pathlib import Path
from urllib.error import URLError

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr_hub.errors import SRHubError

CONVOLUTIONS = (2, 2, 4, 4, 4)
"""Convolutions in each block; a 2x2 maximum pool stands between two blocks."""

MIN_SIDE = 16
"""Side of the smallest picture that four pools leave something of, in pixels."""

POOLED = 8
"""Pixels of the picture after which the grid of the first three pools repeats."""

LAYERS = tuple(f"conv{b + 1}_{c + 1}" for b, n in enumerate(CONVOLUTIONS) for c in range(n))
"""Names of the convolutions, from "conv1_1" to "conv5_4"."""

OXFORD_MEAN = (123.68, 116.779, 103.939)  # RGB, 0-255
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # RGB, 0-1


class VGG19(nn.Module):
    """Features of pictures at some layers of VGG19, each divided by its typical size.

    `forward` takes (N, 3, H, W), RGB in [0, 1], sides at least `MIN_SIDE`, and returns one feature
    map for each of `layers`. The typical size is the mean magnitude of the convolution's output
    over a fixed texture, so that a loss weight means much the same at any layer and with any set
    of weights.

    Args:
        layers: names out of `LAYERS`. Nothing behind the deepest is computed: "conv5_4" on a
            96 x 96 patch costs 3.6 G multiply-adds, "conv4_4" 3.2 G, "conv3_4" 2.1 G.
        weights: a file of the Oxford weights (.npz), or None for those of torchvision, which are
            downloaded once.
        before_activation: take the features in front of the ReLU (ESRGAN), not behind it (SRGAN).

    Raises:
        SRHubError: if a layer is unknown or the file is missing or is not such a file.

    Source: Simonyan and Zisserman 2015, https://arxiv.org/abs/1409.1556.
    """

    def __init__(
        self, layers: tuple[str, ...], *, weights: Path | None, before_activation: bool = False
    ) -> None:
        super().__init__()
        for layer in layers:
            if layer not in LAYERS:
                raise SRHubError(f"VGG19 has no layer {layer!r}: {LAYERS[0]} to {LAYERS[-1]}")
        self.layers, self.before_activation = layers, before_activation
        names = LAYERS[: max(LAYERS.index(layer) for layer in layers) + 1]
        values, gain, shift = _torchvision(names) if weights is None else _oxford(weights, names)
        self.convolutions = nn.ModuleDict({name: _convolution(*values[name]) for name in names})
        self.register_buffer("gain", torch.tensor(gain)[:, None, None], persistent=False)
        self.register_buffer("shift", torch.tensor(shift)[:, None, None], persistent=False)
        self.sizes = dict.fromkeys(layers, 1.0)
        self.requires_grad_(False).eval().to(memory_format=torch.channels_last)
        self._measure_sizes()

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """The feature maps of the pictures, by layer."""
        features = (x * self.gain + self.shift).to(self.convolutions["conv1_1"].weight.dtype)
        features = features.contiguous(memory_format=torch.channels_last)
        found = {}
        for name, convolution in self.convolutions.items():
            if name.endswith("_1") and name != "conv1_1":
                features = F.max_pool2d(features, 2)
            features = convolution(features)
            wanted = name in self.layers
            if wanted and self.before_activation:
                found[name] = features / self.sizes[name]
            features = F.relu(features, inplace=not wanted)
            if wanted and not self.before_activation:
                found[name] = features / self.sizes[name]
        return found

    @torch.no_grad()
    def _measure_sizes(self) -> None:
        asked, self.before_activation = self.before_activation, True
        for name, features in self(_texture()).items():
            self.sizes[name] = features.abs().mean().item()
        self.before_activation = asked


def _texture(side: int = 64) -> Tensor:
    """A fixed grey-balanced picture whose spectrum falls with the frequency, as in photographs."""
    rng = np.random.default_rng(19)
    spectrum = np.fft.fft2(rng.standard_normal((3, side, side)))
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None, :])
    picture = np.fft.ifft2(spectrum / np.maximum(frequency, 1 / side)).real
    picture = 0.5 + 0.2 * picture / picture.std()
    return torch.from_numpy(picture.clip(0, 1)).float()[None]


def _convolution(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    outputs, inputs = weight.shape[:2]
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, device="meta")
    convolution.weight, convolution.bias = nn.Parameter(weight), nn.Parameter(bias)
    return convolution


Weights = dict[str, tuple[Tensor, Tensor]]
"""Kernel and bias of each convolution, by its name."""


def _oxford(path: Path, names: tuple[str, ...]) -> tuple[Weights, list[float], list[float]]:
    """The weights of an .npz file, and how it wants its input scaled and shifted.

    The file holds `block3_conv4.kernel` and so on, as 8 bits with a scale and a minimum. The
    network was trained on BGR in 0-255 with the mean taken off; the first kernel is turned round
    here to read RGB.
    """
    try:
        with np.load(path) as file:
            values = {
                name: (_dequantise(file, name, "kernel"), _dequantise(file, name, "bias"))
                for name in names
            }
    except FileNotFoundError:
        raise SRHubError(f"{path} does not exist: give --vgg-weights the file of VGG19") from None
    except (KeyError, ValueError, OSError) as error:
        raise SRHubError(f"{path} does not hold VGG19 weights: {error}") from None
    kernel, bias = values["conv1_1"]
    values["conv1_1"] = kernel.flip(1).contiguous(), bias
    return values, [255.0] * 3, [-mean for mean in OXFORD_MEAN]


def _dequantise(file: np.lib.npyio.NpzFile, name: str, part: str) -> Tensor:
    block, convolution = name.removeprefix("conv").split("_")
    key = f"block{block}_conv{convolution}.{part}"
    values = file[key].astype(np.float32) * float(file[f"{key}.scale"]) + float(file[f"{key}.min"])
    return torch.from_numpy(values)


def _torchvision(names: tuple[str, ...]) -> tuple[Weights, list[float], list[float]]:
    from sr_hub import torchvision_repair

    torchvision_repair.install()
    from torchvision.models import VGG19_Weights, vgg19

    try:
        features = vgg19(weights=VGG19_Weights.IMAGENET1K_V1).features
    except (URLError, OSError) as error:
        raise SRHubError(
            f"VGG19's weights cannot be downloaded ({error}): give a file with --vgg-weights"
        ) from None
    layers = [layer for layer in features if isinstance(layer, nn.Conv2d)]
    values = {n: (c.weight.detach(), c.bias.detach()) for n, c in zip(names, layers, strict=False)}
    shift = [-mean / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)]
    return values, [1 / std for std in IMAGENET_STD], shift
