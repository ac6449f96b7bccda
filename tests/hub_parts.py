"""A small network for the tests of the Hub."""

import torch

from sr_hub.models import RRIM

IMAGE = torch.rand(1, 3, 9, 7, generator=torch.Generator().manual_seed(1))


def small(**arguments):
    branches = {"shallow": "3:4,5:4", "middle": "3:4,3+3:4", "deep": "3:16"}
    return RRIM(channels=8, groups=1, bicubic_skip=False, **branches, **arguments).eval()


def same(model, other):
    with torch.inference_mode():
        return torch.equal(model(IMAGE), other(IMAGE))
