"""Every recipe says what it does, and does it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from sr_hub.models import MODELS
from training import train
from training.discriminators import DISCRIMINATORS
from training.recipes import RECIPES
from training.vgg import LAYERS


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("scale", [2, 4])
def test_every_recipe_names_what_exists(name: str, scale: int):
    config = RECIPES[name](scale)
    with torch.device("meta"):
        network = MODELS[config.architecture](**config.arguments)
        if config.is_gan:
            DISCRIMINATORS[config.discriminator](**config.discriminator_arguments)
    assert network.scale == scale
    assert set(config.vgg_layers) <= set(LAYERS)
    assert config.warmup < config.steps and config.pixel_steps < config.steps


@pytest.mark.parametrize("name", set(RECIPES) - {"tiny", "tiny-gan"})
def test_every_recipe_states_its_command_and_what_to_expect(name: str):
    text = RECIPES[name].__doc__
    command = re.search(r"`python -m training\.train (\S+) (.*?)`", text, re.DOTALL)
    assert command and command[1] == name
    train.build_parser().parse_args([name, *command[2].split()])


def test_the_report_recipes_have_the_report_numbers():
    config = RECIPES["rrim-report"](4)
    assert (config.batch, config.lr, config.optimizer) == (4, 0.03, "momentum")
    assert config.pixel_steps * 40 == config.steps - config.pixel_steps  # 10 and 400 epochs
    srgan, bare = RECIPES["srgan-report"](4), RECIPES["srgan-no-bn-report"](4)
    assert srgan.changed(architecture="RRIM") == config
    assert bare.changed(arguments=srgan.arguments) == srgan


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_takes_five_real_steps(name: str, shared: Path, tmp_path_factory):
    cache = tmp_path_factory.getbasetemp() / "cache"
    folder = tmp_path_factory.mktemp(name)
    data = ["--data", str(shared / "data/train"), "--val", str(shared / "data/val")]
    weights = ["--vgg-weights", str(shared / "weights/vgg19_imagenet_conv_uint8.npz")]
    settings = ["--set", "validation_side=64", "log_every=5", "batch=2"]
    line = [name, *data, *weights, *settings, "--cache", str(cache), "--out", str(folder / "run")]
    assert train.main([*line, "--steps", "5"]) == 0
    row = json.loads((folder / "run" / "log.jsonl").read_text().splitlines()[0])
    assert row["step"] == 5 and np.isfinite(row["loss"])
