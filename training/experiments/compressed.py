"""From which JPEG quality on a network for clean pictures is truer than one for spoiled pictures.

`python -m training.experiments.compressed --val DIR` saves the reduced validation pictures as JPEG
of several qualities, enlarges them by `rrim-x4` and `rrim-real-x4`, and prints the mean PSNR of
luma (protocol "y") and LPIPS of each. The app's advice on compressed files rests on it.
"""

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from sr_hub.base import SRModel
from sr_hub.image import from_tensor, to_tensor
from sr_hub.lpips import LPIPS
from sr_hub.models import load_model
from training.command import command
from training.config import TrainConfig
from training.data import Pictures
from training.material import read_validation
from training.steps import Context
from training.validation import Distance, enlarge, luma_psnr, validation_pair

MODELS = ("rrim-x4", "rrim-real-x4")
QUALITIES = (None, 97, 95, 90, 85, 80, 75, 70, 60, 50, 30)
"""Of JPEG files with 4:2:0 chroma; None stands for pictures that were not compressed."""

Scores = dict[int | None, dict[str, tuple[float, float]]]
"""Quality -> model -> mean PSNR in dB and mean LPIPS."""


@command
def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0, or 2 with one line on stderr if the input is at fault."""
    parser = argparse.ArgumentParser(
        prog="python -m training.experiments.compressed", description=__doc__
    )
    add = parser.add_argument
    add("--val", type=Path, required=True, metavar="PICTURES", help="not those of a benchmark")
    add("--lpips-weights", type=Path, help="SqueezeNet file; the public one if left out")
    options = parser.parse_args(arguments)
    models = {name: load_model(name) for name in MODELS}
    lpips = LPIPS(options.lpips_weights)
    sys.stdout.write(table(study(models, read_validation(options.val, 4), lpips)))
    return 0


def study(
    models: dict[str, SRModel],
    pictures: Pictures,
    lpips: Distance,
    qualities: Sequence[int | None] = QUALITIES,
) -> Scores:
    """The mean scores of every model at every quality, over the centres of the pictures."""
    config = TrainConfig("RRIM")
    context = Context(config, torch.device("cpu"))
    scores: Scores = {}
    for quality in qualities:
        sums = {name: [0.0, 0.0] for name in models}
        for index in range(len(pictures)):
            lr, hr = validation_pair(pictures, index, config.validation_side, 4, "bicubic")
            lr = lr if quality is None else through_jpeg(lr, quality)
            for name, model in models.items():
                with torch.inference_mode():
                    sr = enlarge(model, lr, context)
                sums[name][0] += luma_psnr(sr, hr, model.scale)
                sums[name][1] += lpips(sr, hr)
        scores[quality] = {
            name: (psnr / len(pictures), distance / len(pictures))
            for name, (psnr, distance) in sums.items()
        }
    return scores


def through_jpeg(image: Tensor, quality: int) -> Tensor:
    """`image` (1, 3, H, W) in [0, 1], saved as a JPEG file and read again."""
    stream = io.BytesIO()
    from_tensor(image).save(stream, "JPEG", quality=quality)
    with Image.open(stream) as saved:
        return to_tensor(saved.convert("RGB"))


def table(scores: Scores) -> str:
    """Markdown: a row for each quality, PSNR / LPIPS of each model, the better ones bold."""
    names = list(next(iter(scores.values())))
    lines = [f"| JPEG quality | {' | '.join(names)} |", "|---|" + "---:|" * len(names)]
    for quality, row in scores.items():
        truest = max(psnr for psnr, _ in row.values())
        nearest = min(distance for _, distance in row.values())
        cells = []
        for psnr, distance in row.values():
            first = f"**{psnr:.2f} dB**" if psnr == truest else f"{psnr:.2f} dB"
            second = f"**{distance:.4f}**" if distance == nearest else f"{distance:.4f}"
            cells.append(f"{first} / {second}")
        lines.append(f"| {quality or 'not compressed'} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
