"""Between two checkpoints of one network."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from sr_hub.cli import app
from sr_hub.contestants import load_contestants
from sr_hub.errors import SRHubError
from sr_hub.interpolate import (
    carry_over,
    interpolate,
    load_with_fidelity,
    name_at,
    split_fidelity,
)
from sr_hub.models import RRIM, SRResNet
from sr_hub.upscaler import Upscaler

BRANCHES = {"shallow": "3:4,5:4", "middle": "3:4,3+3:4", "deep": "3:16"}


def small(**arguments):
    return RRIM(channels=8, groups=1, **BRANCHES, **arguments).eval()


def test_the_ends_are_the_two_networks_and_the_middle_is_their_mean():
    first, second, image = small(), small(), torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        assert torch.equal(interpolate(first, second, 0)(image), first(image))
        assert torch.equal(interpolate(first, second, 1)(image), second(image))
    half = interpolate(first, second, 0.5)
    for name, weight in half.state_dict().items():
        mean = (first.state_dict()[name] + second.state_dict()[name]) / 2
        assert torch.allclose(weight, mean, atol=1e-6)


def test_a_quarter_is_nearer_to_the_first():
    first, second = small(), small()
    weight = interpolate(first, second, 0.25).state_dict()["head.0.weight"]
    expected = (
        0.75 * first.state_dict()["head.0.weight"] + 0.25 * second.state_dict()["head.0.weight"]
    )
    assert torch.allclose(weight, expected, atol=1e-6)


def test_statistics_of_batch_norm_are_interpolated_too():
    networks = [SRResNet(channels=8, blocks=1).train() for _ in range(2)]
    for network in networks:
        network(torch.rand(2, 3, 8, 8))
    first, second = (network.eval() for network in networks)
    mixed = interpolate(first, second, 0.5)
    name = "trunk.0.1.running_mean"
    mean = (first.state_dict()[name] + second.state_dict()[name]) / 2
    assert torch.allclose(mixed.state_dict()[name], mean, atol=1e-6)
    assert mixed.state_dict()["trunk.0.1.num_batches_tracked"] == 1


def test_neither_network_changes():
    first, second = small(), small()
    before = [
        {k: v.clone() for k, v in network.state_dict().items()} for network in (first, second)
    ]
    mixed = interpolate(first, second, 0.5)
    torch.nn.init.zeros_(mixed.head[0].weight)
    for network, states in zip((first, second), before, strict=True):
        assert all(torch.equal(network.state_dict()[name], states[name]) for name in states)


def test_different_networks_are_refused():
    with pytest.raises(SRHubError, match="a RRIM and a SRResNet"):
        interpolate(small(), SRResNet(channels=8, blocks=1), 0.5)
    with pytest.raises(SRHubError, match="differ in scale: 4 and 2"):
        interpolate(small(), small(scale=2), 0.5)
    with pytest.raises(SRHubError, match="trunk_scale"):
        interpolate(small(), small(trunk_scale=0.5), 0.5)
    for alpha in (-0.1, 1.1, float("nan")):
        with pytest.raises(SRHubError, match="0 to 1"):
            interpolate(small(), small(), alpha)


def test_a_gan_stage_is_carried_over_to_later_weights():
    start, tuned, later = small(), small(), small()
    carried = carry_over(tuned, start, later)
    for name, weight in carried.state_dict().items():
        states = (network.state_dict()[name] for network in (later, tuned, start))
        expected = next(states) + next(states) - next(states)
        assert torch.allclose(weight, expected, atol=1e-6)
    image = torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        assert torch.allclose(carry_over(tuned, start, start)(image), tuned(image), atol=1e-5)
    for three in ((small(scale=2), start, later), (tuned, small(scale=2), later)):
        with pytest.raises(SRHubError, match="differ in scale"):
            carry_over(*three)


def test_a_variance_of_batch_norm_is_carried_over_as_a_factor():
    start, tuned, later = (SRResNet(channels=8, blocks=1).eval() for _ in range(3))
    for network, variance in ((start, 3.0), (tuned, 0.3), (later, 2.0)):
        network.trunk[0][1].running_var.fill_(variance)
    carried = carry_over(tuned, start, later)
    expected = torch.full((8,), 0.2)
    assert torch.allclose(carried.trunk[0][1].running_var, expected, rtol=1e-3)
    assert carried.trunk[0][1].num_batches_tracked == later.trunk[0][1].num_batches_tracked


@pytest.fixture
def bundled(tmp_path, monkeypatch):
    """A PSNR and a GAN checkpoint as the only bundled models."""
    models = {"rrim-x4": small(), "rrim-gan-x4": small()}
    for name, model in models.items():
        model.save_pretrained(tmp_path / "checkpoints" / name)
    monkeypatch.setattr("sr_hub.bundled.CHECKPOINTS", tmp_path / "checkpoints")
    return models


def picture(content):
    return np.asarray(Image.open(io.BytesIO(content)))


def test_fidelity_goes_from_the_gan_checkpoint_to_the_psnr_checkpoint(bundled):
    image = torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        for name in bundled:  # either name of a pair stands for it
            assert torch.equal(load_with_fidelity(name, 1)(image), bundled["rrim-x4"](image))
            assert torch.equal(load_with_fidelity(name, 0)(image), bundled["rrim-gan-x4"](image))


def test_a_model_without_a_partner_is_refused(monkeypatch):
    with pytest.raises(SRHubError, match="and bicubic is alone: "):
        load_with_fidelity("bicubic", 0.5)
    with pytest.raises(SRHubError, match="fidelity goes from 0"):
        load_with_fidelity("rrim-x4", 1.5)


def test_the_command_line_takes_a_fidelity(tmp_path, bundled):
    Image.effect_noise((8, 6), 50).convert("RGB").save(tmp_path / "in.png")

    def upscale(*arguments):
        command = ["upscale", str(tmp_path / "in.png"), str(tmp_path / "out.png"), *arguments]
        result = CliRunner().invoke(app, [*command, "--precision", "fp32"])
        return result, (tmp_path / "out.png").read_bytes() if result.exit_code == 0 else None

    _, true = upscale("--model", "rrim-x4")
    _, sharp = upscale("--model", "rrim-gan-x4")
    pixels = {0.0: sharp, 1.0: true}
    for fidelity, expected in pixels.items():
        _, made = upscale("--fidelity", str(fidelity))
        assert np.array_equal(picture(made), picture(expected))
    _, half = upscale("--fidelity", "0.5")
    assert not np.array_equal(picture(half), picture(true))
    assert not np.array_equal(picture(half), picture(sharp))
    result, _ = upscale("--fidelity", "0.5", "--model", "bicubic")
    assert isinstance(result.exception, SRHubError)


def test_a_name_with_a_fidelity_is_a_model_everywhere(tmp_path, bundled):
    name, image = name_at("rrim-x4", 0.5), torch.rand(1, 3, 8, 8)
    Image.effect_noise((8, 6), 50).convert("RGB").save(tmp_path / "in.png")
    expected = Upscaler(load_with_fidelity("rrim-x4", 0.5), precision="fp32").run(image)
    upscaler = Upscaler(name, precision="fp32")
    assert upscaler.name == name
    assert torch.equal(upscaler.run(image), expected)
    (row,) = load_contestants([name], 4)
    assert (row.name, row.facts["fidelity"]) == (name, 0.5)
    assert row.facts["checkpoints"].keys() == bundled.keys()
    assert torch.equal(row.run(image), expected)
    pixels = []
    for options in (["--model", name], ["--fidelity", "0.5"]):
        command = ["upscale", str(tmp_path / "in.png"), str(tmp_path / "out.png"), *options]
        assert CliRunner().invoke(app, command).exit_code == 0
        pixels.append(picture((tmp_path / "out.png").read_bytes()))
    assert np.array_equal(*pixels)
    with pytest.raises(SRHubError, match="fidelity goes from 0"):
        Upscaler(name_at("rrim-x4", -1.5))


def test_a_folder_may_have_any_name(tmp_path):
    folder = tmp_path / name_at("rrim-x4", 0.5)
    small().save_pretrained(folder)
    assert split_fidelity(str(folder)) is None
    assert Upscaler(folder).name == folder.name
    assert split_fidelity(name_at("m" * 300, 0.5)) == ("m" * 300, 0.5)
