"""Blend two stages of a network: `python -m training.interpolate PSNR GAN OUT --alpha 0.8`.

Between a PSNR stage and the GAN stage that started from it lie models that trade truth for texture,
without training (Wang et al. 2018, section 3.4, https://arxiv.org/abs/1809.00219). With `--val
PICTURES --lose 0.4` the blend is the sharpest of those that lose at most 0.4 dB of the PSNR stage's
validation, so that networks of two GAN stages can be compared at the same price. `--start OLD`
carries a GAN stage that started from OLD over to PSNR, which was trained on from there; with
`--alpha 1` that is a start for more of the GAN stage. The card tells how both were trained, as far
as they do; `python -m sr_hub push OUT user/repo` publishes it.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from sr_hub.base import SRModel
from sr_hub.errors import SRHubError
from sr_hub.interpolate import carry_over, interpolate
from sr_hub.models import load_model
from training.command import command
from training.config import TrainConfig
from training.data import Pictures
from training.material import read_validation
from training.origins import called, facts_of_all, save_made
from training.validation import mean_psnr

ALPHAS = [step / 20 for step in range(20, -1, -1)]
"""Shares of the GAN stage that are tried with `--val`, the sharpest first."""


@command
def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0, or 2 with one line on stderr if the input is at fault."""
    parser = argparse.ArgumentParser(prog="python -m training.interpolate", description=__doc__)
    add = parser.add_argument
    add("psnr", help="model of the PSNR stage: name, folder or Hub id")
    add("gan", help="model of the GAN stage")
    add("out", type=Path, help="Hub folder to write")
    add("--alpha", type=float, default=0.8, help="share of the GAN stage, 0 to 1 (default 0.8)")
    add("--start", metavar="MODEL", help="where the GAN stage started, if not from the first model")
    add("--val", type=Path, metavar="PICTURES", help="choose alpha by these pictures instead")
    add("--lose", type=float, default=0.4, metavar="DB", help="with --val: at most (default 0.4)")
    options = parser.parse_args(arguments)
    psnr, gan, alpha = load_model(options.psnr), load_model(options.gan), options.alpha
    if options.start:
        gan = carry_over(gan, load_model(options.start), psnr)
    if options.val:
        alpha, reached = choose_alpha(
            psnr, gan, read_validation(options.val, psnr.scale), options.lose
        )
        sys.stdout.write(f"alpha {alpha:g}: {reached:.3f} dB on luma\n")
    facts = facts_of_blend(options.psnr, options.gan, alpha, start=options.start)
    save_made(interpolate(psnr, gan, alpha), options.out, facts)
    return 0


def facts_of_blend(
    psnr: str, gan: str, alpha: float, *, start: str | None = None
) -> dict[str, Any]:
    """What the card of a blend tells: how both were trained, and in what share they are in it."""
    first, second = called(psnr), called(gan)
    command = f"python -m training.interpolate {first} {second} OUT --alpha {alpha:g}"
    carried = ""
    if start:
        command += f" --start {called(start)}"
        carried = f", which started from {called(start)}"
    origin = f"{first} and {second}{carried}, share {alpha:g}"
    return {**facts_of_all([psnr, gan], command), "start_from": origin}


def choose_alpha(
    psnr: SRModel, gan: SRModel, pictures: Pictures, lose: float
) -> tuple[float, float]:
    """The largest of `ALPHAS` whose blend loses at most `lose` dB against `psnr`, and its score.

    Raises:
        SRHubError: if `lose` is negative or no number, or the networks differ.
    """
    if not lose >= 0:
        raise SRHubError(f"--lose is 0 dB or more, not {lose:g}")
    config = TrainConfig(type(psnr).__name__)
    least = mean_psnr(psnr, pictures, config) - lose
    blends = (
        (alpha, mean_psnr(interpolate(psnr, gan, alpha), pictures, config)) for alpha in ALPHAS
    )
    return next((alpha, reached) for alpha, reached in blends if reached >= least or not alpha)


if __name__ == "__main__":
    sys.exit(main())
