"""Blend two stages of a network: `python -m training.interpolate PSNR GAN OUT --alpha 0.8`.

Between a PSNR stage and the GAN stage that started from it lie models that trade truth for texture,
without training (Wang et al. 2018, section 3.4, https://arxiv.org/abs/1809.00219).
"""

import argparse
import sys
from pathlib import Path

from sr_hub.errors import SRHubError
from sr_hub.interpolate import interpolate
from sr_hub.models import load_model


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0, or 2 with one line on stderr if the input is at fault."""
    parser = argparse.ArgumentParser(prog="python -m training.interpolate", description=__doc__)
    parser.add_argument("psnr", help="model of the PSNR stage: name, folder or Hub id")
    parser.add_argument("gan", help="model of the GAN stage")
    parser.add_argument("out", type=Path, help="Hub folder to write")
    parser.add_argument("--alpha", type=float, default=0.8, help="share of the GAN stage, 0 to 1")
    options = parser.parse_args(arguments)
    try:
        model = interpolate(load_model(options.psnr), load_model(options.gan), options.alpha)
        model.save_pretrained(options.out)
    except SRHubError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
