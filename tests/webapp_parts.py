"""A picture and tiny networks, for the tests of the app."""

import numpy as np
import torch
from PIL import Image

from sr_hub.models import RRIM, SRResNet


def texture(width, height, mode="RGB"):
    """A picture with soft and sharp places, of any mode."""
    rng = np.random.default_rng(width * 1000 + height)
    small = rng.integers(0, 256, (height // 4 + 2, width // 4 + 2, 3)).astype(np.uint8)
    image = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    return image.convert(mode)


def tiny_networks(folder):
    """Tiny networks under the names of real ones, one that enlarges by 2: name -> folder."""
    torch.manual_seed(0)
    rrim = {"channels": 16, "groups": 1, "shallow": "3:8,3:8", "middle": "3:8,3:8", "deep": "3:16"}
    networks = {
        "rrim-x4": RRIM(**rrim),
        "rrim-gan-x4": RRIM(**rrim),
        "srgan-x4": SRResNet(channels=8, blocks=1),
        "small-x2": SRResNet(channels=8, blocks=1, scale=2),
    }
    for name, network in networks.items():
        network.save_pretrained(folder / name)
    return {name: folder / name for name in networks}
