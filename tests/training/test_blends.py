"""Blends of two stages by the command `training.interpolate`."""

import copy
from pathlib import Path

import torch
from training_runs import command

from sr_hub.interpolate import interpolate as blend
from sr_hub.models import load_model
from training import interpolate, train
from training.data import Pictures


def test_interpolate_blends_two_runs(finished: Path, pictures: Path, tmp_path: Path):
    gan = tmp_path / "gan"
    more = ["--start-from", str(finished / "model"), "--steps", "3"]
    assert train.main(command(pictures, gan, "tiny-gan", *more)) == 0
    line = [str(finished / "model"), str(gan / "model"), str(tmp_path / "mix"), "--alpha", "0.25"]
    assert interpolate.main(line) == 0
    first, second, mix = (
        load_model(folder).state_dict()["head.0.weight"]
        for folder in (finished / "model", gan / "model", tmp_path / "mix")
    )
    assert torch.allclose(mix, 0.75 * first + 0.25 * second, atol=1e-7)
    line = [str(tmp_path / "mix"), str(gan / "model"), str(tmp_path / "carried"), "--alpha", "1"]
    assert interpolate.main([*line, "--start", str(finished / "model")]) == 0
    carried = load_model(tmp_path / "carried").state_dict()["head.0.weight"]
    assert torch.allclose(carried, mix + second - first, atol=1e-6)


def test_interpolate_takes_the_sharpest_blend_that_loses_no_more_than_allowed(
    finished: Path, pictures: Path, tmp_path: Path, capsys
):
    psnr = load_model(finished / "model")
    bright = copy.deepcopy(psnr)
    bright.tail[-1].bias.data += 0.2
    bright.save_pretrained(tmp_path / "bright")

    def chosen(lose: float) -> float:
        mix = tmp_path / f"mix{lose}"
        line = [str(finished / "model"), str(tmp_path / "bright"), str(mix)]
        assert interpolate.main([*line, "--val", str(pictures), "--lose", str(lose)]) == 0
        shift = load_model(mix).tail[-1].bias - psnr.tail[-1].bias
        alpha = shift.mean().item() / 0.2
        assert capsys.readouterr().out.startswith(f"alpha {alpha:.2g}")
        return round(alpha, 6)

    assert chosen(100) == 1
    assert 0 < chosen(1) < chosen(3) < 1
    seen = Pictures.read(pictures)
    best, kept, over = (
        interpolate.score(blend(psnr, bright, alpha), seen)
        for alpha in (0, chosen(3), chosen(3) + 0.05)
    )
    assert best - kept <= 3 < best - over
