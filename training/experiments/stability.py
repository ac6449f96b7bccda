"""Does a GAN stay stable without batch norm? The main report's figures 1-1, 1-2, 4-3 and 4-4.

    python -m training.experiments.stability --data PICTURES --val OTHERS --out DIR

trains SRGAN, SRGAN without batch norm and RRIM-GAN with the report's optimizer, rates and losses
(recipes `srgan-report`, `srgan-no-bn-report`, `rrim-report`), on smaller patches and for fewer
steps, all alike; draws their losses over each other; and writes a table of how far the losses swing
in the last third. It goes on where it was stopped. A run that is stopped because its numbers are
not finite is a result; one that cannot be trained ends the study. The report sees SRGAN without
batch norm leave the path after 500 steps.
"""

import argparse
import logging
import sys
from pathlib import Path

import numpy as np

from sr_hub.errors import SRHubError
from sr_hub.files import write_text
from training import train
from training.command import command
from training.plots import Curves, draw

RUNS = {
    "SRGAN": "srgan-report",
    "SRGAN without BN": "srgan-no-bn-report",
    "RRIM-GAN": "rrim-report",
}
"""Name in the figure -> recipe."""


@command
def main(arguments: list[str] | None = None) -> int:
    """Run the study.

    Returns 0, 2 with one line on stderr if the input is at fault, or what `training.train` returns
    for a run that could not be trained.
    """
    options = _parser().parse_args(arguments)
    if options.steps <= options.pixel_steps:
        raise SRHubError(
            f"--steps {options.steps}: the GAN begins after {options.pixel_steps} steps "
            "(--pixel-steps), so there is nothing to study; give more"
        )
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    ends = {}
    for name, recipe in RUNS.items():
        ends[name] = train.main(_command(options, recipe, options.out / name.replace(" ", "-")))
        if ends[name] not in (0, train.NOT_FINITE):
            return ends[name]
    import matplotlib as mpl

    mpl.use("Agg")
    curves = [_read(options.out, name) for name in RUNS]
    figure = draw(curves, ["loss", "d_loss"], options.out / "stability.png")
    table = _table(curves, ends, options)
    write_text(options.out / "stability.md", table)
    sys.stdout.write(f"{table}\n{figure}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.experiments.stability", description=__doc__
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--val", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--pixel-steps", type=int, default=100, help="before the GAN begins")
    parser.add_argument("--patch", type=int, default=24)
    parser.add_argument("--vgg-weights", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument(
        "--set", action="extend", nargs="+", default=[], dest="settings", metavar="NAME=VALUE"
    )
    return parser


def _command(options: argparse.Namespace, recipe: str, out: Path) -> list[str]:
    paths = {"--data": options.data, "--val": options.val, "--out": out}
    optional = {"--vgg-weights": options.vgg_weights, "--cache": options.cache}
    paths |= {name: path for name, path in optional.items() if path}
    settings = [
        f"pixel_steps={options.pixel_steps}",
        "log_every=5",
        "validate_every=250",
        "save_every=250",
        *options.settings,
    ]
    words = [recipe, *(str(word) for pair in paths.items() for word in pair), "--resume"]
    return [
        *words,
        "--steps",
        str(options.steps),
        "--patch",
        str(options.patch),
        "--set",
        *settings,
    ]


def _read(out: Path, name: str) -> Curves:
    curves = Curves.read(out / name.replace(" ", "-"))
    curves.name = name
    return curves


def _table(curves: list[Curves], ends: dict[str, int], options: argparse.Namespace) -> str:
    lines = [
        f"{options.steps} steps, {options.pixel_steps} of them before the GAN begins, batch "
        f"{curves[0].batch}, patches of {options.patch} pixels. Swing: standard deviation over "
        "the last third.",
        "",
        "| run | steps | G loss: median, swing, largest | D loss: median, swing | skipped | end |",
        "|---|---|---|---|---|---|",
    ]
    for run in curves:
        g, d = (np.array(run.of(name)[1]) for name in ("loss", "d_loss"))
        late, d_late = g[-len(g) // 3 :], d[-len(d) // 3 :]
        events = [row["event"] for row in run.rows if "event" in row]
        skipped = sum(event.startswith("skipped") for event in events)
        end = "stopped: not finite" if ends[run.name] else "ran through"
        lines.append(
            f"| {run.name} | {run.rows[-1]['step']} | {np.median(late):.4g}, {late.std():.2g}, "
            f"{g.max():.3g} | {np.median(d_late):.3g}, {d_late.std():.2g} | {skipped} | {end} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
