"""What noise and JPEG blocks become when they are enlarged: `rrim-x4` against `rrim-real-x4`.

`python -m training.experiments.real_pictures PICTURE OUT` reduces a picture by four, spoils the
small one as cameras and the web do, enlarges it by each model, and writes `real_pictures.md` (PSNR
and SSIM against the picture) and `real_pictures.png` (the place where the results differ most).
"""

import argparse
import sys
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from sr_hub.degrade import blur, downscale, jpeg, modcrop, quantise
from sr_hub.errors import SRHubError
from sr_hub.figures import caption, contact_sheet, crop, telling_box
from sr_hub.files import write_text
from sr_hub.image import save, to_tensor
from sr_hub.metrics import Protocol, measure
from sr_hub.pairs import read_picture
from sr_hub.upscaler import Upscaler
from training.command import command

SCALE = 4
MODELS = ("bicubic", "rrim-x4", "rrim-real-x4")
PROTOCOL = Protocol.Y
MIN_SIDE = 128
SHOWN = 128  # pixels a side of a crop of the figure


def spoiled(hr: Tensor, seed: int) -> dict[str, Tensor]:
    """`hr` (1, 3, H, W) reduced by four and spoiled: name -> (1, 3, H / 4, W / 4)."""
    generator = torch.Generator().manual_seed(seed)
    clean = downscale(hr, SCALE)
    soft = downscale(blur(hr, torch.full((1, 2), 1.6), torch.zeros(1)), SCALE)
    noise = torch.randn(clean.shape, generator=generator)
    small = {
        "clean": clean,
        "JPEG, quality 40": jpeg(clean, torch.tensor([40.0])),
        "noise of 8 levels": clean + 8 / 255 * noise,
        "soft, noise of 5 levels, JPEG 60": jpeg(soft + 5 / 255 * noise, torch.tensor([60.0])),
    }
    return {name: quantise(image) for name, image in small.items()}


def study(
    hr: Tensor, upscalers: dict[str, Upscaler], seed: int
) -> tuple[str, dict[str, Tensor], dict[str, str]]:
    """A Markdown table, the crops of the figure by name, and a caption for each."""
    lines = ["| the small picture | " + " | ".join(upscalers) + " |", "|---|" + "---:|" * 3]
    crops, captions = {}, {}
    for kind, lr in spoiled(hr, seed).items():
        outputs = {name: upscaler.run(lr) for name, upscaler in upscalers.items()}
        box, cells = telling_box(hr, list(outputs.values()), SHOWN), []
        for name, sr in outputs.items():
            cells.append(caption(measure(sr, hr, PROTOCOL, SCALE), PROTOCOL))
            label = f"{name}: {kind}"
            crops[label], captions[label] = _shown(crop(sr, box)), cells[-1]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines), crops, captions


def run(picture: Path, out: Path, seed: int) -> None:
    """The study of `picture`, written into the folder `out`.

    Raises:
        SRHubError: if the picture cannot be read or is too small, or `out` cannot be written.
    """
    hr = modcrop(read_picture(picture), SCALE)
    if min(hr.shape[-2:]) < MIN_SIDE:
        raise SRHubError(f"{picture} is too small: {MIN_SIDE} pixels a side are needed")
    upscalers = {name: Upscaler(name, precision="fp32") for name in MODELS}
    table, crops, captions = study(hr, upscalers, seed)
    note = f"PSNR / SSIM of {picture.name}, protocol {PROTOCOL}: {PROTOCOL.definition}"
    text = f"{table}\n\n{note}\n"
    write_text(out / "real_pictures.md", text)
    sheet = contact_sheet(crops, captions, columns=len(MODELS), note=note)
    save(sheet, out / "real_pictures.png")


def _shown(image: Image.Image) -> Tensor:
    """A crop at twice its size, so that single pixels can be seen."""
    size = (2 * image.width, 2 * image.height)
    return to_tensor(image.resize(size, Image.Resampling.NEAREST))


@command
def main(arguments: list[str] | None = None) -> int:
    """Run the command; 2 with one line on stderr if the input is at fault."""
    parser = argparse.ArgumentParser(
        prog="python -m training.experiments.real_pictures", description=__doc__
    )
    parser.add_argument("picture", type=Path)
    parser.add_argument("out", type=Path, help="folder of the table and the figure")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (0)")
    options = parser.parse_args(arguments)
    run(options.picture, options.out, options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
