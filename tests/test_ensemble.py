"""The mean over the eight orientations of a picture."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from sr_hub.cli import app
from sr_hub.contestants import load_contestants
from sr_hub.ensemble import ORIENTATIONS, mean_image
from sr_hub.image import decode, to_tensor
from sr_hub.models import ESPCN, RRIM, LiteSRResNet, RRDBNet, SRNet
from sr_hub.upscaler import Upscaler


def networks():
    torch.manual_seed(0)
    small = {"channels": 8, "groups": 1, "shallow": "3:4,5:4", "middle": "3:8", "deep": "3:16"}
    return [
        ESPCN(scale=3),
        RRIM(**small),
        RRIM(**small, crossed=True),
        LiteSRResNet(),
        RRDBNet(channels=8, blocks=1, growth=4, scale=2),
        SRNet(channels=4),
    ]


@pytest.fixture(params=networks(), ids=lambda network: type(network).__name__)
def network(request):
    return request.param.eval()


def test_all_eight_are_there_and_are_undone():
    x = torch.arange(6.0).view(1, 1, 2, 3)
    turned = [each.turn(x) for each in ORIENTATIONS]
    assert torch.equal(turned[0], x)
    assert len({(tuple(t.shape), tuple(t.flatten().tolist())) for t in turned}) == 8
    for each, t in zip(ORIENTATIONS, turned, strict=True):
        assert torch.equal(each.turn_back(t), x)


def test_a_picture_turns_as_its_tensor_does():
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8))
    for each in ORIENTATIONS:
        turned = each.turn_image(image)
        assert torch.equal(to_tensor(turned), each.turn(to_tensor(image)))
        assert each.turn_image_back(turned).tobytes() == image.tobytes()


@torch.no_grad()
def test_it_is_the_mean_of_the_eight_answers_with_tiles_and_without(network):
    x = torch.rand(1, 3, 17, 37)
    answers = [each.turn_back(network(each.turn(x)).clamp(0, 1)) for each in ORIENTATIONS]
    expected = torch.stack(answers).mean(0)
    single = Upscaler(network, precision="fp32").run(x)
    assert (single - expected).abs().max() > 1e-5
    for tile in (None, 16):
        mean = Upscaler(network, precision="fp32", ensemble=True, tile=tile).run(x)
        assert torch.allclose(mean, expected, atol=1e-5)


def test_a_turned_picture_gives_the_turned_result():
    upscaler = Upscaler("espcn-x4", ensemble=True)
    rng = np.random.default_rng(1)
    image = Image.fromarray(rng.integers(0, 256, (9, 14, 3), dtype=np.uint8))
    upright = upscaler(image)
    for each in ORIENTATIONS[1:]:
        turned = each.turn_image_back(upscaler(each.turn_image(image)))
        difference = np.asarray(turned, dtype=int) - np.asarray(upright)
        assert abs(difference).max() <= 1  # rounding


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_every_mode_is_kept_and_progress_counts_all(mode):
    rng = np.random.default_rng(2)
    if mode == "I;16":
        image = Image.fromarray(rng.integers(0, 65536, (6, 9), dtype=np.uint16))
    else:
        depth = len(Image.new(mode, (1, 1)).getbands())
        shape = (6, 9, depth) if depth > 1 else (6, 9)
        image = Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8), mode)
    calls = []
    upscaler = Upscaler("espcn-x4", ensemble=True)
    result = upscaler(image, progress=lambda *call: calls.append(call))
    steps = 16 if "A" in mode else 8
    assert calls == [(done, steps) for done in range(1, steps + 1)]
    assert result.mode == mode and result.size == (36, 24)
    assert "mean of 8 orientations" in result.info["text"]["Software"]
    close = np.asarray(result, dtype=float) - np.asarray(Upscaler("espcn-x4")(image))
    assert 0 < abs(close).mean() < (65535 if mode == "I;16" else 255) / 10


def test_the_mean_of_pictures_is_rounded_and_of_one_is_itself():
    images = [Image.new("L", (1, 1), value) for value in (255, 254, 255, 254, 255)]
    assert mean_image(images).getpixel((0, 0)) == 255
    assert mean_image(images[:2]).getpixel((0, 0)) == 255  # halves go up
    assert mean_image(iter(images[:1])) is images[0]
    deep = [Image.fromarray(np.full((1, 1), value, np.uint16)) for value in (65535, 65533)]
    assert mean_image(deep).getpixel((0, 0)) == 65534


def test_the_commands_take_it_and_say_so(tmp_path):
    pictures = tmp_path / "Own"
    pictures.mkdir()
    rng = np.random.default_rng(3)
    image = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    image.resize((48, 40), Image.Resampling.BICUBIC).save(pictures / "a.png")
    line = ["upscale", str(pictures / "a.png"), str(tmp_path / "b.png"), "--model", "espcn-x4"]
    report = ["--report", str(tmp_path / "report.json")]
    assert CliRunner().invoke(app, [*line, "--ensemble", *report]).exit_code == 0
    assert json.loads((tmp_path / "report.json").read_text())["ensemble"]
    expected = Upscaler("espcn-x4", ensemble=True)(decode(pictures / "a.png"))
    assert decode(tmp_path / "b.png").tobytes() == expected.tobytes()

    stored = tmp_path / "results.json"
    line = ["eval", "--data", str(pictures), "--models", "bicubic,espcn-x4", "--json", str(stored)]
    assert CliRunner().invoke(app, [*line, "--ensemble"]).exit_code == 0
    results = json.loads(stored.read_text())
    assert list(results["models"]) == ["bicubic", "espcn-x4+"]
    assert results["command"].endswith("--ensemble")


def test_a_contestant_with_it_differs_from_the_one_without():
    x = torch.rand(1, 3, 8, 8)
    (one,) = load_contestants(["espcn-x4"], 4)
    (both,) = load_contestants(["espcn-x4"], 4, ensemble=True)
    assert both.name == "espcn-x4+" and not torch.equal(one.run(x), both.run(x))
