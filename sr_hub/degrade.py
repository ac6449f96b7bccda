"""High resolution to low resolution, as the super-resolution literature does it.

`downscale` is the antialiased bicubic (a = -0.5) of MATLAB's `imresize`, which made the public
low-resolution files of Set5, Set14 and BSD100. Real files have been through more: `realistic` adds
blur, a second resize, noise and JPEG to it, at random strengths, all on the device of the picture.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SUPPORT = 2
"""Low-resolution pixels to each side that `downscale` looks at; a crop with this much more around
it, degraded and trimmed, equals the crop of the degraded picture."""


def modcrop(image: Tensor, scale: int) -> Tensor:
    """`image` (..., H, W) cut at the right and bottom so that H and W are multiples of `scale`."""
    height, width = image.shape[-2:]
    return image[..., : height - height % scale, : width - width % scale]


def downscale(hr: Tensor, scale: int, *, rounded: bool = True) -> Tensor:
    """`hr` reduced by the literature's antialiased bicubic.

    Rows first, rounded to 8 bits in between unless that is not wanted, and the border pixels
    repeated outwards: rounded, it agrees with the public files in all but 1 of 2000 values, and
    there within one grey level. (N, C, scale * H, scale * W) in [0, 1] -> (N, C, H, W), not
    clamped.

    Raises:
        ValueError: if the height or width is not a multiple of `scale`; `modcrop` makes it so.
    """
    height, width = hr.shape[-2:]
    if height % scale or width % scale:
        raise ValueError(f"{width}x{height} is not a multiple of {scale}: modcrop it first")
    padded = F.pad(hr, [SUPPORT * scale] * 4, mode="replicate")
    low_height, low_width = height // scale + 2 * SUPPORT, width // scale + 2 * SUPPORT
    rows = resize_bicubic(padded, (low_height, padded.shape[-1]))
    if rounded:
        rows = quantise(rows)
    lr = resize_bicubic(rows, (low_height, low_width))
    return lr[..., SUPPORT:-SUPPORT, SUPPORT:-SUPPORT]


def resize_bicubic(image: Tensor, size: tuple[int, int]) -> Tensor:
    """`image` (N, C, H, W) at `size` (height, width) by the antialiased bicubic, a = -0.5."""
    return F.interpolate(image, size=size, mode="bicubic", antialias=True, align_corners=False)


def quantise(image: Tensor) -> Tensor:
    """`image` in [0, 1] clamped and rounded to the 256 values that an 8-bit file can hold."""
    return torch.round(image.clamp(0, 1) * 255) / 255


BLUR_RADIUS = 9
"""High-resolution pixels to each side that `blur` looks at."""


def blur(image: Tensor, sigmas: Tensor, angles: Tensor) -> Tensor:
    """`image` under one elliptic Gaussian for each picture.

    `image`: (N, C, H, W), H and W above `BLUR_RADIUS`; `sigmas`: (N, 2), pixels along the two axes,
    above 0; `angles`: (N,), radians. Returns (N, C, H, W).
    """
    count, channels, height, width = image.shape
    line = torch.arange(-BLUR_RADIUS, BLUR_RADIUS + 1, device=image.device, dtype=image.dtype)
    y, x = torch.meshgrid(line, line, indexing="ij")
    cos, sin = angles.cos()[:, None, None], angles.sin()[:, None, None]
    along, across = cos * x + sin * y, cos * y - sin * x
    first, second = sigmas[:, 0, None, None], sigmas[:, 1, None, None]
    kernels = torch.exp(-((along / first).square() + (across / second).square()) / 2)
    kernels = kernels / kernels.sum((1, 2), keepdim=True)
    padded = F.pad(image, [BLUR_RADIUS] * 4, mode="reflect")
    flat = padded.reshape(1, count * channels, *padded.shape[-2:])
    weights = kernels.repeat_interleave(channels, dim=0)[:, None]
    return F.conv2d(flat, weights, groups=count * channels).view(count, channels, height, width)


def jpeg(image: Tensor, quality: Tensor, *, offset: tuple[int, int] = (0, 0)) -> Tensor:
    """`image` as it comes back from a JPEG file with 4:2:0 chroma.

    Args:
        image: (N, 3, H, W), RGB in [0, 1].
        quality: (N,), 1 to 100, on the scale of libjpeg.
        offset: rows and columns, 0 to 15, by which the grid of blocks is moved up and left.

    Source: ITU-T T.81, annex K tables; the scale of `quality` is libjpeg's `jpeg_quality_scaling`.
    """
    height, width = image.shape[-2:]
    top, left = offset
    bottom, right = -(height + top) % 16, -(width + left) % 16
    padded = F.pad(image.clamp(0, 1) * 255, (left, right, top, bottom), mode="replicate")
    to_ycc = torch.tensor(YCC).view(3, 3)
    ycc = torch.einsum("ij,njhw->nihw", to_ycc.to(image), padded)
    scale = _scale(quality[:, None, None])
    luma = _quantise_blocks(ycc[:, :1] - 128, _table(LUMA_TABLE, scale)) + 128
    chroma = _quantise_blocks(F.avg_pool2d(ycc[:, 1:], 2), _table(CHROMA_TABLE, scale))
    chroma = F.interpolate(chroma, scale_factor=2.0, mode="bilinear", align_corners=False)
    both = torch.cat([luma, chroma], dim=1)
    rgb = torch.einsum("ij,njhw->nihw", to_ycc.inverse().to(image), both)
    return quantise(rgb[..., top : top + height, left : left + width] / 255)


def jpeg_quality(luma_table: Sequence[int]) -> int:
    """The quality, 1 to 100 on libjpeg's scale, whose luma table is nearest to that of a file.

    `luma_table`: its 64 divisors, row by row, as Pillow's `image.quantization[0]`.
    """
    tables = _table(LUMA_TABLE, _scale(torch.arange(1.0, 101)[:, None, None])).flatten(1)
    return int((tables - torch.tensor(luma_table)).abs().sum(1).argmin()) + 1


def realistic(hr: Tensor, scale: int, rng: np.random.Generator) -> Tensor:
    """`hr` reduced as a picture from the street may have been: blur, resize, noise, JPEG.

    Each of them is left out now and then, so that clean pictures are among the results. The blur
    and the strengths differ from picture to picture, the way of resizing from call to call.

    (N, 3, scale * H, scale * W) in [0, 1] -> (N, 3, H, W), not clamped.

    Source: the idea of Zhang et al. 2021 (BSRGAN), https://arxiv.org/abs/2103.14006, in one pass.
    """
    count = len(hr)

    def tensor(values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.asarray(values, dtype=np.float32)).to(hr.device)

    sigmas = rng.uniform(0.2, 0.6 * scale, (count, 2)) * _some(rng, 0.7, (count, 1)) + 0.1
    blurred = blur(hr, tensor(sigmas), tensor(rng.uniform(0, math.pi, count)))
    lr = _resize(blurred, scale, rng)
    strength = rng.uniform(1, 20, (count, 1, 1, 1)) / 255 * _some(rng, 0.6, (count, 1, 1, 1))
    generator = torch.Generator(hr.device).manual_seed(int(rng.integers(2**62)))
    channels = 3 if rng.integers(2) else 1  # coloured noise, or the same in all channels
    noise = torch.randn(count, channels, *lr.shape[-2:], generator=generator, device=hr.device)
    noisy = lr + tensor(strength) * noise
    quality, offset = rng.uniform(35, 95, count), tuple(rng.integers(16, size=2).tolist())
    compressed = jpeg(noisy, tensor(quality), offset=offset)
    return torch.where(tensor(_some(rng, 0.7, (count, 1, 1, 1))) > 0, compressed, noisy)


def _some(rng: np.random.Generator, chance: float, shape: tuple[int, ...]) -> np.ndarray:
    """Ones with that chance, else zeros."""
    return (rng.random(shape) < chance).astype(np.float32)


def _resize(image: Tensor, scale: int, rng: np.random.Generator) -> Tensor:
    """`image` reduced by `scale`, half of the time by way of another size."""
    if rng.integers(2):
        return downscale(image, scale)
    height, width = image.shape[-2] // scale, image.shape[-1] // scale
    factor = rng.uniform(0.6, 2.0)
    between = (max(4, round(height * factor)), max(4, round(width * factor)))
    for size in (between, (height, width)):
        mode = ("bilinear", "bicubic")[rng.integers(2)]
        image = F.interpolate(image, size=size, mode=mode, antialias=True, align_corners=False)
    return image


YCC = (0.299, 0.587, 0.114, -0.168736, -0.331264, 0.5, 0.5, -0.418688, -0.081312)

LUMA_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)

CHROMA_TABLE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)


def _scale(quality: Tensor) -> Tensor:
    """By how many per cent libjpeg enlarges its tables for a quality."""
    return torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)


def _table(table: tuple[tuple[int, ...], ...], scale: Tensor) -> Tensor:
    """(N, 1, 8, 1, 8): the divisor of each coefficient, for each picture."""
    base = torch.tensor(table, device=scale.device, dtype=scale.dtype)
    return ((base * scale + 50) / 100).floor().clamp(1, 255)[:, None, None, :, None, :]


def _quantise_blocks(plane: Tensor, table: Tensor) -> Tensor:
    """`plane` (N, C, H, W), sides multiples of 8, with its 8x8 cosine coefficients rounded."""
    count, channels, height, width = plane.shape
    basis = _cosines(plane)
    blocks = plane.reshape(count, channels, height // 8, 8, width // 8, 8)
    coefficients = torch.einsum("ui,ncyixj,vj->ncyuxv", basis, blocks, basis)
    rounded = torch.round(coefficients / table) * table
    return torch.einsum("ui,ncyuxv,vj->ncyixj", basis, rounded, basis).reshape(plane.shape)


def _cosines(like: Tensor) -> Tensor:
    """The orthonormal 8-point cosine transform: (frequency, place)."""
    place = torch.arange(8, device=like.device, dtype=like.dtype)
    basis = torch.cos((2 * place[None, :] + 1) * place[:, None] * math.pi / 16) / 2
    basis[0] = basis[0] / math.sqrt(2)
    return basis
