"""Results held to their input: what becomes of them when they are made small again."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner
from upscaler_parts import MODES, small

from sr_hub.cli import app
from sr_hub.consistency import REACH, hold_to
from sr_hub.contestants import load_contestants
from sr_hub.degrade import downscale, quantise
from sr_hub.image import decode, to_tensor
from sr_hub.metrics import consistency, psnr
from sr_hub.models import MODELS, Interpolation
from sr_hub.upscaler import Upscaler
from sr_hub.webapp.fields import EXAMPLES

WAVES = EXAMPLES / "waves.png"


class Tinted(Interpolation):
    """An enlargement whose colours are off, as those of some networks are."""

    def forward(self, x):
        return super().forward(x) * torch.tensor([1.1, 1.0, 0.85])[:, None, None] + 0.02


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_wrong_colour_is_set_right(scale):
    lr = to_tensor(decode(WAVES))[..., :60, :70] * 0.8 + 0.1
    sr = Tinted(scale=scale)(lr).clamp(0, 1)
    assert consistency(sr, lr, scale) < 30
    assert consistency(hold_to(lr, sr), lr, scale) > 50


def test_what_holds_already_stays():
    hr = to_tensor(decode(WAVES))[..., :64, :64]
    lr = downscale(hr, 4, rounded=False)
    assert (hold_to(lr, hr) - hr).abs().max() < 1e-5


@pytest.mark.parametrize("model", ["espcn-x4", "esrgan-x4", "rrim-real-x4"])
def test_a_bundled_network_becomes_truer_by_it(model):
    hr = to_tensor(decode(WAVES).crop((96, 60, 192, 156)))
    lr = quantise(downscale(hr, 4))
    plain, held = (
        Upscaler(model, consistent=held, precision="fp32").run(lr) for held in (False, True)
    )
    assert consistency(held, lr, 4) > max(50, consistency(plain, lr, 4))
    assert psnr(quantise(held), hr) > psnr(quantise(plain), hr)


def test_tiles_equal_the_whole_picture(monkeypatch):
    network = small()
    x = torch.rand(1, 3, 70, 90)

    def difference():
        options = {"device": "cpu", "precision": "fp32", "consistent": True}
        whole = Upscaler(network, tile=200, **options).run(x)
        return (Upscaler(network, tile=24, **options).run(x) - whole).abs().max()

    assert difference() < 1e-5
    monkeypatch.setattr(type(network), "receptive_field", network.receptive_field - REACH)
    assert difference() > 1e-4


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("size", [(1, 1), (2, 7), (16, 3)])
def test_any_size_runs_through(name, size):
    held = Upscaler(small(name), device="cpu", consistent=True).run(torch.rand(1, 3, *size))
    assert held.shape[-2:] == (4 * size[0], 4 * size[1]) and held.isfinite().all()


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_held(mode):
    dtype, shape = MODES[mode]
    values = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    values = np.kron(values, np.ones((3, 3, 1)[: values.ndim], dtype)) * (
        np.iinfo(dtype).max // 255
    )
    image = Image.fromarray(values)
    plain, held = (Upscaler(small(), device="cpu", consistent=c)(image) for c in (False, True))
    assert held.mode == mode and "held to the input" in held.info["text"]["Software"]
    again = [
        np.asarray(result.resize(image.size, Image.Resampling.BICUBIC), float)[4:-4, 4:-4]
        for result in (plain, held)
    ]
    off = [np.abs(each - values[4:-4, 4:-4]).mean() for each in again]
    assert off[1] < off[0] / 2


def test_the_commands_take_it_and_say_so(tmp_path):
    pictures, report, stored = (tmp_path / name for name in ("Own", "report.json", "results.json"))
    pictures.mkdir()
    decode(WAVES).crop((0, 0, 64, 60)).save(pictures / "a.png")
    line = ["upscale", str(pictures / "a.png"), str(tmp_path / "b.png"), "--model", "espcn-x4"]
    assert CliRunner().invoke(app, [*line, "--consistent", "--report", str(report)]).exit_code == 0
    assert json.loads(report.read_text())["consistent"]
    expected = Upscaler("espcn-x4", consistent=True)(decode(pictures / "a.png"))
    assert decode(tmp_path / "b.png").tobytes() == expected.tobytes()

    line = ["eval", "--data", str(pictures), "--models", "bicubic,espcn-x4", "--json", str(stored)]
    assert CliRunner().invoke(app, [*line, "--consistent"]).exit_code == 0
    results = json.loads(stored.read_text())
    assert list(results["models"]) == ["bicubic", "espcn-x4 consistent"]
    assert results["command"].endswith("--consistent")


def test_a_contestant_with_it_differs_from_the_one_without():
    x = torch.rand(1, 3, 8, 8)
    (one,) = load_contestants(["espcn-x4"], 4)
    (held,) = load_contestants(["espcn-x4"], 4, consistent=True)
    assert not torch.equal(one.run(x), held.run(x))
