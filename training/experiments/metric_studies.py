"""What the metrics see and what they do not: two studies of the reports on any picture.

`python -m training.experiments.metric_studies PICTURE OUT` writes into the folder OUT

* `impulse_noise.md` and `.png`: PSNR of impulse noise at six densities beside the table of the
  report that introduced it, and beside what arithmetic expects;
* `equal_psnr.md` and `.png`: six distortions of exactly equal PSNR, with their SSIM and FSIM, which
  differ widely: equal error can look very different.
"""

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from sr_hub.degrade import blur, jpeg, quantise
from sr_hub.errors import SRHubError
from sr_hub.figures import contact_sheet
from sr_hub.files import write_text
from sr_hub.image import save
from sr_hub.metrics import Protocol, measure, psnr
from sr_hub.pairs import read_picture
from training.command import command

DENSITIES = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0)

REPORTED = (25.2171, 18.1606, 15.1875, 12.1646, 8.19091, 5.18667)
"""PSNR in dB at `DENSITIES`, on a picture that is not given. Source: the report that compares
SR-NET and ESRGAN, part 2.3, which takes the figures from a blog."""

PROTOCOL = Protocol.RGB
LARGEST_BLUR = 6.0  # pixels, sigma
MIN_SIDE = 16

Distortion = Callable[[Tensor, float], Tensor]


def impulse_noise(image: Tensor, density: float, generator: torch.Generator) -> Tensor:
    """`image` (1, 3, H, W) in which a share `density` of the pixels is black or white."""
    place = torch.rand(image[:, :1].shape, generator=generator)
    noisy = torch.where(place < density / 2, 0.0, image)
    return torch.where((place >= density / 2) & (place < density), 1.0, noisy)


def expected_psnr(image: Tensor, density: float) -> float:
    """PSNR of impulse noise in dB, on average over the noise.

    A pixel x turns black or white with equal chance, so its squared error is (x^2 + (1 - x)^2) / 2;
    the mean of that grows with the density, hence 10 dB less for ten times as much noise.
    """
    worst = float((image.square() + (1 - image).square()).double().mean()) / 2
    return -10 * math.log10(density * worst)


def distortions(seed: int) -> dict[str, Distortion]:
    """Those of Wang and Bovik's figure, each by a strength from 0 (none) to 1 (extreme).

    Source: Wang and Bovik 2009, https://doi.org/10.1109/MSP.2008.930649, figure 2.
    """

    def noise(image: Tensor, strength: float) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return image + strength * torch.randn(image.shape, generator=generator)

    def impulses(image: Tensor, strength: float) -> Tensor:
        return impulse_noise(image, strength, torch.Generator().manual_seed(seed))

    def contrast(image: Tensor, strength: float) -> Tensor:
        mean = image.mean()
        return mean + (image - mean) * (1 + 9 * strength)

    def blurred(image: Tensor, strength: float) -> Tensor:
        sigma = max(LARGEST_BLUR * strength, 1e-3)
        return blur(image, torch.full((1, 2), sigma), torch.zeros(1))

    return {
        "contrast": contrast,
        "Gaussian noise": noise,
        "impulse noise": impulses,
        "blur": blurred,
        "JPEG": lambda image, strength: jpeg(image, torch.tensor([100 - 99 * strength])),
    }


def at_psnr(image: Tensor, distort: Distortion, target: float) -> Tensor | None:
    """`image` distorted until its PSNR is `target` dB, in 8 bits; None if it cannot be that low.

    The strength is found by halving; what is left, because some strengths act in steps, is made up
    by mixing in the original.
    """
    image = quantise(image)
    if psnr(quantise(distort(image, 1.0)), image) > target:
        return None
    strength = _halve(lambda s: psnr(quantise(distort(image, s)), image) <= target)
    distorted = distort(image, strength).clamp(0, 1)
    share = _halve(lambda s: psnr(quantise(torch.lerp(image, distorted, s)), image) <= target)
    return quantise(torch.lerp(image, distorted, share))


def study_impulse_noise(image: Tensor, seed: int) -> tuple[str, dict[str, Tensor], dict[str, str]]:
    """A Markdown table, the noisy pictures by name, and a caption for each."""
    lines = [
        "| density | PSNR, this picture | expected | PSNR, the report's picture |",
        "|---:|---:|---:|---:|",
    ]
    pictures, captions = {"original": image}, {}
    generator = torch.Generator().manual_seed(seed)
    for density, reported in zip(DENSITIES, REPORTED, strict=True):
        noisy = quantise(impulse_noise(image, density, generator))
        measured, expected = psnr(noisy, quantise(image)), expected_psnr(image, density)
        lines.append(f"| {density:.0%} | {measured:.2f} | {expected:.2f} | {reported:.2f} |")
        name = f"impulse noise {density:.0%}"
        pictures[name], captions[name] = noisy, f"{measured:.2f} dB (report's: {reported:.2f})"
    return "\n".join(lines), pictures, captions


def study_equal_psnr(
    image: Tensor, levels: int, seed: int
) -> tuple[str, dict[str, Tensor], dict[str, str]]:
    """A Markdown table, the distorted pictures by name, and a caption for each.

    All have the PSNR of the picture made brighter by `levels` of 255; a distortion that cannot do
    as much harm to this picture is left out.
    """
    lines = ["| distortion | PSNR dB | SSIM | FSIM |", "|---|---:|---:|---:|"]
    brighter = quantise(image + levels / 255)
    target = psnr(brighter, quantise(image))
    found = {name: at_psnr(image, distort, target) for name, distort in distortions(seed).items()}
    pictures, captions = {"original": image}, {}
    for name, distorted in {"brightness": brighter, **found}.items():
        if distorted is None:
            continue
        values = measure(distorted, image, PROTOCOL, 1)
        lines.append(
            f"| {name} | {values['psnr']:.2f} | {values['ssim']:.4f} | {values['fsim']:.4f} |"
        )
        pictures[name] = distorted
        captions[name] = f"{values['psnr']:.2f} dB / {values['ssim']:.4f} / {values['fsim']:.4f}"
    return "\n".join(lines), pictures, captions


@command
def main(arguments: list[str] | None = None) -> int:
    """Run the command; 2 with one line on stderr if the input is at fault."""
    parser = argparse.ArgumentParser(
        prog="python -m training.experiments.metric_studies",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("picture", type=Path)
    parser.add_argument("out", type=Path, help="folder of the tables and figures")
    parser.add_argument(
        "--levels",
        type=int,
        default=16,
        help="of 255: how much brighter the first picture of the second study is, which sets the "
        "PSNR of all (16, about 24 dB)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the noise (0)")
    options = parser.parse_args(arguments)
    run(options.picture, options.out, options.levels, options.seed)
    return 0


def run(picture: Path, out: Path, levels: int, seed: int) -> None:
    """Both studies of `picture`, written into the folder `out`.

    Raises:
        SRHubError: if the picture cannot be read or is under 16 pixels a side, `levels` is not 1
            to 254, or `out` cannot be written.
    """
    if not 1 <= levels <= 254:
        raise SRHubError(f"--levels {levels}: give 1 to 254")
    image = read_picture(picture)
    if min(image.shape[-2:]) < MIN_SIDE:
        raise SRHubError(f"{picture} is too small: {MIN_SIDE} pixels a side are needed")
    what = f"{picture.name}, protocol {PROTOCOL}: {PROTOCOL.definition}"
    _write(out, "impulse_noise", study_impulse_noise(image, seed), what)
    _write(out, "equal_psnr", study_equal_psnr(image, levels, seed), f"PSNR / SSIM / FSIM. {what}")


def _write(
    out: Path, name: str, study: tuple[str, dict[str, Tensor], dict[str, str]], note: str
) -> None:
    table, pictures, captions = study
    text = f"{table}\n\n{note}\n"
    write_text(out / f"{name}.md", text)
    save(contact_sheet(pictures, captions, note=note), out / f"{name}.png")


def _halve(low_enough: Callable[[float], bool]) -> float:
    """The smallest number in [0, 1], to 1e-6, for which `low_enough` holds; it must hold for 1."""
    none, enough = 0.0, 1.0
    while enough - none > 1e-6:
        middle = (none + enough) / 2
        none, enough = (none, middle) if low_enough(middle) else (middle, enough)
    return enough


if __name__ == "__main__":
    sys.exit(main())
