"""A picture, tiny networks, stored results and runs of the pages, for the tests of the app."""

from types import SimpleNamespace

import numpy as np
import torch
from gradio_client import handle_file
from PIL import Image

from sr_hub.metrics import Protocol
from sr_hub.models import RRIM, SRResNet
from sr_hub.records import FORMAT, write_results
from sr_hub.webapp.comparing import CompareHandlers
from sr_hub.webapp.upscaling import UpscaleHandlers

MAX_PIXELS = 20_000
VISITOR = SimpleNamespace(session_hash="visitor", cookies={}, headers={})


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


def store_results(folder):
    """Results of two models on Set5, in `folder`."""
    rows, seconds = [], []
    for model, psnr in (("bicubic", 28.43), ("rrim-x4", 31.0)):
        for protocol in Protocol:
            mean = {"psnr": psnr, "ssim": 0.8, "fsim": 0.9, "rmse": 0.0031}
            rows.append(
                {"dataset": "Set5", "model": model, "protocol": str(protocol), "mean": mean}
            )
        seconds.append({"dataset": "Set5", "model": model, "mean": 0.1, "pictures": [0.1]})
    stored = {
        "format": FORMAT,
        "scale": 4,
        "protocols": {str(protocol): protocol.definition for protocol in Protocol},
        "datasets": {"Set5": {}},
        "models": {"bicubic": {}, "rrim-x4": {}},
        "results": rows,
        "seconds": seconds,
        "command": "python -m sr_hub eval --data Set5",
        "hardware": "a machine",
    }
    write_results(stored, folder / "all.json")


def upscale(client, path, model="rrim-x4"):
    return client.predict(handle_file(str(path)), model, api_name="/upscale")


def nothing(*_, **__):
    return 0


def run_upscale(offer, path, progress=nothing, **changes):
    arguments = {"model": "rrim-x4", "fidelity": 1, "hub": "", "also": ["srgan-x4"], "old": None}
    arguments["large"] = None
    arguments |= changes
    arguments.setdefault("fidelity_of", arguments["model"])
    handlers = UpscaleHandlers(offer)
    return list(handlers.run(str(path), **arguments, request=VISITOR, progress=progress))


def run_compare(
    offer,
    path,
    low=None,
    damage=(0, 0, 100),
    models=("bicubic", "rrim-x4"),
    old=None,
    visitor=VISITOR,
    progress=nothing,
    large=None,
):
    return CompareHandlers(offer).run(
        str(path), large, low, *damage, list(models), "y", old, visitor, progress
    )
