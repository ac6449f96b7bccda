"""The studies of the metrics: impulse noise, and equal PSNR of unequal pictures."""

import math

import pytest
import torch
from PIL import Image

from sr_hub.metrics import measure, psnr
from training.experiments import metric_studies as studies


def picture():
    y, x = torch.meshgrid(torch.arange(64), torch.arange(80), indexing="ij")
    waves = 0.5 + 0.3 * torch.sin(x / 4 + y / 9) * torch.cos(y / 6)
    return torch.stack([waves, waves * 0.8, waves.flip(0)])[None]


def test_half_of_the_impulses_are_black_and_half_are_white():
    image = torch.full((1, 3, 200, 200), 0.5)
    noisy = studies.impulse_noise(image, 0.2, torch.Generator().manual_seed(0))
    for level, share in ((0.0, 0.1), (0.5, 0.8), (1.0, 0.1)):
        assert (noisy == level).float().mean() == pytest.approx(share, abs=0.01)
    assert torch.equal(noisy[:, 0], noisy[:, 2])  # a pixel, not a channel, is hit


def test_impulse_noise_on_grey_has_the_expected_psnr():
    image = torch.full((1, 3, 8, 8), 0.5)
    everywhere = studies.impulse_noise(image, 1.0, torch.Generator().manual_seed(0))
    assert psnr(everywhere, image) == pytest.approx(20 * math.log10(2))
    assert studies.expected_psnr(image, 1.0) == pytest.approx(20 * math.log10(2))
    assert studies.expected_psnr(image, 0.01) == pytest.approx(20 * math.log10(2) + 20)


def test_the_law_explains_the_table_of_the_report():
    worst = studies.REPORTED[-1]
    for density, reported in zip(studies.DENSITIES, studies.REPORTED, strict=True):
        assert reported == pytest.approx(worst - 10 * math.log10(density), abs=0.05)


def test_distortions_of_equal_psnr_are_told_apart_by_ssim():
    table, pictures, _ = studies.study_equal_psnr(picture(), 16, seed=0)
    rows = {name: measure(image, picture(), "rgb", 1) for name, image in pictures.items()}
    del rows["original"]
    assert set(rows) == {"brightness", *studies.distortions(0)}
    assert [row["psnr"] for row in rows.values()] == pytest.approx([24.05] * 6, abs=0.02)
    assert rows["brightness"]["ssim"] > 0.95
    assert rows["Gaussian noise"]["ssim"] < 0.8
    assert f"| {rows['blur']['psnr']:.2f} | {rows['blur']['ssim']:.4f} |" in table


def test_a_distortion_that_can_not_reach_the_psnr_is_left_out():
    flat = torch.full((1, 3, 32, 32), 0.5)
    _, pictures, _ = studies.study_equal_psnr(flat, 16, seed=0)
    assert set(pictures) == {"original", "brightness", "Gaussian noise", "impulse noise"}


def test_one_command_makes_tables_and_figures(tmp_path, capsys):
    path = tmp_path / "waves.png"
    Image.linear_gradient("L").resize((48, 40)).save(path)
    assert studies.main([str(path), str(tmp_path / "out")]) == 0
    files = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert files == ["equal_psnr.md", "equal_psnr.png", "impulse_noise.md", "impulse_noise.png"]
    table = (tmp_path / "out" / "impulse_noise.md").read_text()
    assert "| 100% |" in table
    assert "25.22 |" in table
    assert "protocol rgb" in table
    Image.new("RGB", (8, 8)).save(path)
    assert studies.main([str(path), str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.startswith(f"error: {path} is too small")
