"""Train a network: `python -m training.train RECIPE --data DIR --val DIR --out DIR`.

On several GPUs or machines: `accelerate launch -m training.train` with the same arguments.
"""

import argparse
import logging
import math
import sys
import time
from pathlib import Path

from sr_hub.bundled import hub_folder
from training.checkpoint import NotFiniteError
from training.command import command, refuse
from training.description import opening
from training.lock import let_go
from training.loop import fit
from training.parallel import leave
from training.recipes import RECIPES
from training.setup import PUBLIC, prepare

NOT_FINITE = 3
"""Exit code of a run that is stopped because its numbers are not finite."""

INTERRUPTED = 130
"""Exit code after Ctrl-C."""


@command
def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Returns 0, 2 with one line on stderr if the input is at fault, 3 with one line if the run's
    numbers are not finite however often it is rolled back, or 130 after Ctrl-C.
    """
    started = time.monotonic()
    options = build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("training").setLevel(logging.INFO)
    try:
        run = prepare(options, started=started)
        if run.is_main:
            run.journal.say(opening(run))
        fit(run)
    except NotFiniteError as error:
        return refuse(error, NOT_FINITE)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        leave()
        let_go()
    return INTERRUPTED if run.interrupted else 0


def build_parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    add = parser.add_argument
    add("recipe", choices=sorted(RECIPES), metavar="RECIPE", help=", ".join(sorted(RECIPES)))
    add("--data", type=Path, required=True, help="folder of pictures or tar shards to learn from")
    add("--val", type=Path, required=True, help="folder of pictures to choose the best state by")
    add("--out", type=Path, required=True, help="folder of the run")
    add(
        "--resume",
        action="store_true",
        help="go on where the run in --out stopped, if any",
    )
    add("--scale", type=int, help="enlargement: 2, 3 or 4; 4 if left out")
    add("--steps", type=int, help="optimizer steps in all")
    add("--batch", type=int, help="patches in a step, on each process")
    add("--patch", type=int, help="side of a low-resolution patch, in pixels")
    add("--lr", type=float, help="peak learning rate of the generator")
    add("--seed", type=int, help="of the weights, the crops and the degradation")
    add(
        "--set",
        action="extend",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        dest="settings",
        help="any setting of training/config.py, like losses.fft_l1=0.05 arguments.channels=96",
    )
    add(
        "--start-from",
        type=hub_folder,
        metavar="MODEL",
        help="bundled model or Hub folder with all the weights to start from",
    )
    add(
        "--init-from",
        metavar="MODEL",
        help="model (name, folder or Hub id) whose fitting weights to start from, of another scale "
        "or with smaller kernels",
    )
    add(
        "--discriminator-from",
        type=Path,
        metavar="RUN",
        help="folder of a GAN run whose discriminator to start from",
    )
    add("--vgg-weights", type=Path, help="VGG19 file (.npz); torchvision's if left out")
    add(
        "--lpips-weights",
        type=Path,
        nargs="?",
        const=PUBLIC,
        help="validate by LPIPS too, with this SqueezeNet file, or the public one",
    )
    add("--cache", type=Path, help="folder that keeps the decoded pictures for later runs")
    add("--minutes", type=float, default=math.inf, help="stop, saved, after so many minutes")
    add(
        "--fast",
        action="store_true",
        help="on a CUDA GPU: steps as CUDA graphs, and RRIM's modules by Triton kernels",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
