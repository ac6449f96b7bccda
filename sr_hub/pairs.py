"""Benchmark folders: ground truth and the low-resolution pictures that belong to it.

A folder holds either ground truth alone, and the low resolution is made from it by `degrade`, or
the two folders `HR/` and `LRx4/` (the number is the scale) with equal file names. Ground truth is
cut to a multiple of the scale, as the literature does it, and never resized: enlarging the truth to
fit a result is known to add up to 0.9 dB.
"""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from sr_hub.degrade import downscale, modcrop, quantise
from sr_hub.errors import SRHubError
from sr_hub.image import decode, readable_suffixes, to_tensor

MADE_HERE = "made from the ground truth: antialiased bicubic (a = -0.5), 8 bits"


@dataclass(frozen=True)
class Pair:
    """One picture of a benchmark."""

    name: str
    hr: Path
    lr: Path | None
    """None where the low resolution is made from the ground truth."""


@dataclass(frozen=True)
class Dataset:
    """A benchmark: its name, its pictures in the order of their names, and their origin."""

    name: str
    pairs: tuple[Pair, ...]
    low_resolution: str
    """One phrase on where the low-resolution pictures come from."""


def find_dataset(folder: Path, scale: int) -> Dataset:
    """The benchmark in `folder`.

    Raises:
        SRHubError: if there is no folder or no picture, or a picture has no partner.
    """
    if not folder.is_dir():
        raise SRHubError(f"no folder {folder}")
    name = folder.resolve().name
    truth = folder / "HR" if (folder / "HR").is_dir() else folder
    hr = _pictures(truth)
    if not hr:
        raise SRHubError(f"no pictures in {truth}")
    low = folder / f"LRx{scale}"
    if not low.is_dir():
        return Dataset(name, tuple(Pair(n, path, None) for n, path in hr.items()), MADE_HERE)
    lr: dict[str, Path] = {}
    for stem, path in _pictures(low).items():
        partner = stem if stem in hr else stem.removesuffix(f"x{scale}")
        if partner in lr:
            raise SRHubError(f"{lr[partner]} and {path.name} are both of {partner}: keep one")
        lr[partner] = path
    alone = sorted(hr.keys() ^ lr.keys())
    if alone:
        where = truth if alone[0] in hr else low
        raise SRHubError(f"{alone[0]} is only in {where}: {truth.name} and {low.name} must match")
    pairs = tuple(Pair(n, path, lr[n]) for n, path in hr.items())
    return Dataset(name, pairs, f"the files of {low.name}")


def read_pair(pair: Pair, scale: int) -> tuple[Tensor, Tensor]:
    """Low resolution (1, 3, H, W) and ground truth (1, 3, scale * H, scale * W), RGB in [0, 1].

    Raises:
        SRHubError: if a file cannot be read or the sizes do not fit.
    """
    lr = None if pair.lr is None else read_picture(pair.lr)
    return fit_pair(read_picture(pair.hr), lr, scale, pair.name)


def fit_pair(
    hr: Tensor, lr: Tensor | None, scale: int, name: str = "the picture"
) -> tuple[Tensor, Tensor]:
    """`lr` and the ground truth cut to `scale` times its size; without `lr`, it is made.

    Args:
        hr: ground truth (1, 3, H, W) in [0, 1].
        lr: low resolution of floor(H / scale) x floor(W / scale), or None.
        scale: enlargement factor.
        name: what errors call the picture.

    Raises:
        SRHubError: if the sizes do not fit, or the ground truth is smaller than `scale` pixels.
    """
    height, width = hr.shape[-2:]
    if min(height, width) < scale:
        raise SRHubError(f"{name}: ground truth of {width}x{height} is too small for x{scale}")
    hr = modcrop(hr, scale)
    if lr is None:
        return quantise(downscale(hr, scale)), hr
    needed = (height // scale, width // scale)
    if lr.shape[-2:] != needed:
        raise SRHubError(
            f"{name}: low resolution of {lr.shape[-1]}x{lr.shape[-2]} does not fit ground truth of "
            f"{width}x{height} at x{scale}, which needs {needed[1]}x{needed[0]}; "
            "ground truth is never resized"
        )
    return lr, hr


def read_picture(path: Path) -> Tensor:
    """A picture file as (1, 3, H, W), RGB in [0, 1], upright; grey becomes RGB.

    Raises:
        SRHubError: if the file cannot be read or has transparent parts, which no metric can see.
    """
    image = decode(path)
    if image.mode in ("LA", "RGBA"):
        if image.getchannel("A").getextrema()[0] < 255:
            raise SRHubError(f"{path} has transparent parts, which cannot be measured: flatten it")
        image = image.convert("RGB")
    return to_tensor(image)


def _pictures(folder: Path) -> dict[str, Path]:
    """Name without suffix -> path of the pictures in `folder`, sorted."""
    found: dict[str, Path] = {}
    suffixes = readable_suffixes()
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in suffixes or path.name.startswith(".") or not path.is_file():
            continue
        if path.stem in found:
            raise SRHubError(f"{found[path.stem]} and {path.name} have the same name")
        found[path.stem] = path
    return found
