"""How much of a GAN stage to ship: `python -m training.experiments.share PSNR GAN RIVAL --val DIR`.

Blends of the PSNR stage and the GAN stage are compared with a rival on pictures of validation, by
PSNR, SSIM, FSIM and RMSE (protocol "report") and LPIPS, picture by picture (`leads.py`). The share
to take is the one whose least sure lead is the surest.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from sr_hub.base import SRModel
from sr_hub.errors import SRHubError
from sr_hub.evaluate import LPIPS_KEY, score
from sr_hub.interpolate import interpolate
from sr_hub.lpips import LPIPS
from sr_hub.metrics import METRICS, Protocol
from sr_hub.models import load_model
from training.command import command
from training.config import TrainConfig
from training.data import Pictures
from training.experiments.leads import gain, lead
from training.material import read_validation
from training.steps import Context
from training.validation import Distance, enlarge, validation_pair

SHARES = (0.85, 0.875, 0.9, 0.925, 0.95, 0.975, 1.0)
MEASURES = (*METRICS, LPIPS_KEY)


@command
def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0, or 2 with one line on stderr if the input is at fault."""
    parser = argparse.ArgumentParser(
        prog="python -m training.experiments.share", description=__doc__
    )
    add = parser.add_argument
    add("psnr", help="model of the PSNR stage: name, folder or Hub id")
    add("gan", help="model of the GAN stage")
    add("rival", help="model to compare the blends with")
    add("--val", type=Path, required=True, metavar="PICTURES", help="not those of a benchmark")
    add("--lpips-weights", type=Path, help="SqueezeNet file; the public one if left out")
    add("--shares", action="extend", type=float, nargs="+", help="of the GAN stage, 0 to 1")
    options = parser.parse_args(arguments)
    psnr, gan, rival = (load_model(m) for m in (options.psnr, options.gan, options.rival))
    blends = {share: interpolate(psnr, gan, share) for share in options.shares or SHARES}
    lpips = LPIPS(options.lpips_weights)
    leads = compare(blends, rival, read_validation(options.val, psnr.scale), lpips)
    sys.stdout.write(table(leads))
    return 0


def compare(
    blends: dict[float, SRModel], rival: SRModel, pictures: Pictures, lpips: Distance
) -> dict[float, dict[str, tuple[float, float]]]:
    """Share -> measure -> the mean lead over the rival and that in standard errors.

    Raises:
        SRHubError: if there are fewer than two pictures.
    """
    if len(pictures) < 2:
        raise SRHubError("--val: a standard error needs two pictures")
    gains: dict[float, dict[str, list[float]]] = {
        share: {measure: [] for measure in MEASURES} for share in blends
    }
    for index in range(len(pictures)):
        outputs, hr = _outputs([rival, *blends.values()], pictures, index)
        names = ["rival", *map(str, blends)]
        scores = score(
            dict(zip(names, outputs, strict=True)), hr, [Protocol.REPORT], rival.scale, lpips=lpips
        )[Protocol.REPORT]
        for share, lists in gains.items():
            for measure, values in lists.items():
                values.append(gain(measure, scores[str(share)][measure], scores["rival"][measure]))
    return {
        share: {measure: lead(values) for measure, values in lists.items()}
        for share, lists in gains.items()
    }


@torch.inference_mode()
def _outputs(
    models: Sequence[SRModel], pictures: Pictures, index: int
) -> tuple[list[Tensor], Tensor]:
    config = TrainConfig(type(models[0]).__name__)
    context = Context(config, torch.device("cpu"))
    lr, hr = validation_pair(
        pictures, index, config.validation_side, models[0].scale, config.degradation
    )
    return [enlarge(model.eval(), lr, context) for model in models], hr


def surest(leads: dict[float, dict[str, tuple[float, float]]]) -> float:
    """The share whose least sure lead is the surest."""
    return max(leads, key=lambda share: min(sure for _, sure in leads[share].values()))


def table(leads: dict[float, dict[str, tuple[float, float]]]) -> str:
    """Markdown: a row per share, each lead with its standard errors in brackets, the best bold."""
    header = f"| share | {' | '.join(m.upper() for m in MEASURES)} | least sure |"
    lines = [header, "|---" * (len(MEASURES) + 2) + "|"]
    best = surest(leads)
    for share, row in leads.items():
        cells = [f"{mean:.3g} ({sure:.1f})" for mean, sure in row.values()]
        name = f"**{share:g}**" if share == best else f"{share:g}"
        lines.append(f"| {name} | {' | '.join(cells)} | {min(s for _, s in row.values()):.1f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
