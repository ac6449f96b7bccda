"""The study of spoiled pictures: what is spoiled, and that the robust model helps there."""

import pytest
import torch
from PIL import Image

from sr_hub.degrade import downscale
from sr_hub.metrics import psnr
from sr_hub.webapp.fields import EXAMPLES
from training.experiments import real_pictures as study


def test_the_small_pictures_are_spoiled_as_they_are_called():
    hr = torch.full((1, 3, 128, 160), 0.5)
    small = study.spoiled(hr, seed=0)
    assert {tuple(image.shape) for image in small.values()} == {(1, 3, 32, 40)}
    assert torch.allclose(small["clean"], downscale(hr, 4), atol=1 / 255)
    assert small["noise of 8 levels"].std() * 255 == pytest.approx(8, rel=0.1)
    assert psnr(small["JPEG, quality 40"], small["clean"]) > 40  # a flat picture has no blocks


def test_where_a_picture_is_spoiled_the_robust_model_is_ahead_of_the_other(tmp_path):
    assert study.main([str(EXAMPLES / "bridge.png"), str(tmp_path)]) == 0
    lines = (tmp_path / "real_pictures.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:6]]
    ssim = {row[0]: [float(cell.split()[-1]) for cell in row[1:]] for row in rows}
    for kind in ("JPEG, quality 40", "noise of 8 levels", "soft, noise of 5 levels, JPEG 60"):
        _, clean_model, robust = ssim[kind]
        assert robust > clean_model + 0.005
    with Image.open(tmp_path / "real_pictures.png") as sheet:
        assert sheet.width > 3 * 256


def test_a_picture_that_is_too_small_is_refused_in_one_line(tmp_path, capsys):
    Image.new("RGB", (100, 300)).save(tmp_path / "small.png")
    assert study.main([str(tmp_path / "small.png"), str(tmp_path / "out")]) == 2
    assert "too small" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
