import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sr_hub.degrade import (
    BLUR_RADIUS,
    SUPPORT,
    blur,
    downscale,
    jpeg,
    jpeg_quality,
    modcrop,
    quantise,
    realistic,
)


def smooth_picture(side: int = 64) -> torch.Tensor:
    """A colourful picture with edges of medium strength, (1, 3, side, side)."""
    y, x = torch.meshgrid(torch.linspace(0, 6, side), torch.linspace(0, 6, side), indexing="ij")
    planes = [torch.sin(x + y), torch.sin(2 * x - y), torch.cos(x * y / 3)]
    return (0.5 + 0.4 * torch.stack(planes))[None]


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return -10 * torch.log10((a - b).square().mean()).item()


def to_array(image: torch.Tensor) -> np.ndarray:
    return (image[0] * 255).round().byte().permute(1, 2, 0).numpy()


@pytest.mark.parametrize("name", ["Set5", "Set14", "BSD100"])
def test_downscale_makes_the_public_low_resolution_files(shared: Path, name: str):
    folder = shared / "data/eval" / name
    differences = []
    for file in sorted((folder / "HR").iterdir())[:8]:
        hr, lr = modcrop(open_picture(file), 4), open_picture(folder / "LRx4" / file.name)
        differences.append(((quantise(downscale(hr, 4)) - lr) * 255).round().flatten())
    levels = torch.cat(differences).abs()
    assert levels.max() <= 1
    assert (levels > 0).float().mean() < 1e-3


def open_picture(path: Path) -> torch.Tensor:
    array = np.array(Image.open(path).convert("RGB"))
    return torch.from_numpy(array).permute(2, 0, 1)[None].float() / 255


def test_a_crop_with_margin_is_degraded_like_the_whole_picture():
    hr, scale = torch.rand(1, 3, 96, 96), 4
    whole = downscale(hr, scale)
    crop = downscale(hr[..., 16:80, 24:88], scale)[..., SUPPORT:-SUPPORT, SUPPORT:-SUPPORT]
    expected = whole[..., 4 + SUPPORT : 20 - SUPPORT, 6 + SUPPORT : 22 - SUPPORT]
    assert torch.allclose(crop, expected, atol=1e-6)


def test_downscale_refuses_what_modcrop_would_cut():
    with pytest.raises(ValueError, match="modcrop"):
        downscale(torch.rand(1, 3, 9, 8), 4)
    assert modcrop(torch.rand(1, 3, 9, 8), 4).shape == (1, 3, 8, 8)


def test_blur_keeps_the_mean_and_spreads_along_its_axis():
    image = torch.zeros(2, 1, 41, 41)
    image[..., 20, 20] = 1
    sigmas, angles = torch.tensor([[3.0, 1.0], [3.0, 1.0]]), torch.tensor([0.0, torch.pi / 2])
    across, upright = blur(image, sigmas, angles)[:, 0]
    assert across.sum().item() == pytest.approx(1, abs=1e-5)
    assert across[20, 24] > 10 * across[24, 20]
    assert torch.allclose(across, upright.T, atol=1e-6)
    assert across[20, 20 + BLUR_RADIUS] > 0 and across[20, 21 + BLUR_RADIUS] == 0


@pytest.mark.parametrize("quality", [20, 50, 90])
def test_jpeg_comes_out_as_libjpeg_writes_it(quality: int):
    image = quantise(smooth_picture() + 0.05 * torch.randn(1, 3, 64, 64))
    buffer = io.BytesIO()
    Image.fromarray(to_array(image)).save(buffer, "JPEG", quality=quality, subsampling=2)
    theirs = torch.from_numpy(np.array(Image.open(buffer))).permute(2, 0, 1)[None].float() / 255
    ours = jpeg(image, torch.tensor([float(quality)]))
    assert psnr(ours, theirs) > psnr(ours, image) + 6
    assert psnr(ours, theirs) > 38


@pytest.mark.parametrize("quality", [1, 20, 49, 50, 75, 92, 100])
def test_the_quality_of_a_jpeg_file_is_known_from_its_tables(quality: int):
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "JPEG", quality=quality)
    with Image.open(stream) as image:
        assert jpeg_quality(image.quantization[0]) == quality


def test_jpeg_moves_its_blocks_with_the_offset():
    image, quality = quantise(torch.rand(1, 3, 40, 30)), torch.tensor([30.0])
    moved = jpeg(image, quality, offset=(5, 3))
    shifted = torch.nn.functional.pad(image, (3, 0, 5, 0), mode="replicate")
    assert torch.equal(moved, jpeg(shifted, quality)[..., 5:, 3:])
    assert not torch.equal(moved, jpeg(image, quality))


def test_realistic_is_a_function_of_its_generator_and_worse_than_clean():
    hr = smooth_picture(128).repeat(16, 1, 1, 1)
    first = realistic(hr, 4, np.random.default_rng(7))
    again = realistic(hr, 4, np.random.default_rng(7))
    other = realistic(hr, 4, np.random.default_rng(8))
    clean = downscale(hr, 4)
    assert first.shape == clean.shape
    assert torch.equal(first, again) and not torch.equal(first, other)
    scores = [psnr(picture, kept) for picture, kept in zip(first, clean, strict=True)]
    assert min(scores) < 32 < max(scores)
    assert abs(first.mean() - clean.mean()) < 0.01
