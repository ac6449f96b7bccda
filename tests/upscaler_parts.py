"""Small networks and pictures for the tests of enlarging."""

import numpy as np
import torch
from PIL import Image
from torch import nn

from sr_hub.models import MODELS

SMALL = {
    "RRIM": {"channels": 8, "groups": 1, "shallow": "5:4,7:4", "middle": "3:4,5:4", "deep": "3:36"},
    "SRResNet": {"channels": 8, "blocks": 2},
    "RRDBNet": {"channels": 8, "growth": 4, "blocks": 1},
}

MODES = {
    "L": (np.uint8, (11, 14)),
    "LA": (np.uint8, (11, 14, 2)),
    "RGB": (np.uint8, (11, 14, 3)),
    "RGBA": (np.uint8, (11, 14, 4)),
    "I;16": (np.uint16, (11, 14)),
}


def small(name="RRIM", scale=4):
    """A small untrained network whose output depends on all that it sees."""
    torch.manual_seed(1)
    return loud(MODELS[name](scale=scale, **SMALL.get(name, {})))


def loud(model):
    """The network with weights that let through what it sees."""
    model.eval()
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(
                layer.weight, a=0.2, mode="fan_out" if layer.weight.shape[0] > 3 else "fan_in"
            )
    return model


def noise(mode="RGB"):
    dtype, shape = MODES[mode]
    values = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)
    image = Image.fromarray(values)
    assert image.mode == mode
    return image
