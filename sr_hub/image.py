"""Files to pictures, pictures to tensors, and back; nothing is lost without a word.

`decode` and `encode` are the only places of the package that know file formats, `to_tensor` and
`from_tensor` the only ones that know pixel types. What lies between them is an upright picture in
one of five modes whose `.info` is described in `normalise.py`.
"""

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import ExifTags, Image, PngImagePlugin, UnidentifiedImageError
from torch import Tensor

from sr_hub.errors import SRHubError, one_line
from sr_hub.files import write_whole
from sr_hub.normalise import EXIF_GROUPS, MODES, normalise, to_srgb

NOT_PICTURES = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})
"""Formats that Pillow names but cannot draw by itself; for EPS it would start Ghostscript."""

LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G and B in a grey value (BT.601), as Pillow's."""

QUALITY = 95
"""Of JPEG and AVIF files, unless told otherwise."""

PREDICTOR = 317
"""TIFF tag; 2 says that differences of neighbours were deflated, which makes files smaller."""


@dataclass(frozen=True)
class Format:
    """What a file format can hold."""

    suffixes: tuple[str, ...]
    modes: tuple[str, ...]
    max_side: int
    """Pixels."""


FORMATS: dict[str, Format] = {
    "PNG": Format((".png",), MODES, 2**31 - 1),
    "WEBP": Format((".webp",), ("L", "LA", "RGB", "RGBA"), 16383),
    "JPEG": Format((".jpg", ".jpeg"), ("L", "RGB"), 65500),
    "AVIF": Format((".avif",), ("L", "LA", "RGB", "RGBA"), 65536),
    "TIFF": Format((".tif", ".tiff"), MODES, 2**31 - 1),
}
"""What `encode` writes: PNG, WebP and TIFF lossless, JPEG and AVIF lossy with full colour."""


def decode(source: bytes | str | Path | BinaryIO) -> Image.Image:
    """The picture in a file, upright, in one of the modes of `normalise.MODES`.

    Raises:
        SRHubError: if there is no such file, if it is not a picture, if it is damaged, or if it has
            more pixels than `2 * PIL.Image.MAX_IMAGE_PIXELS`, as decompression bombs do.
    """
    name = str(source) if isinstance(source, str | Path) else "the file"
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with Image.open(stream, formats=readable_formats()) as image:
            return normalise(image)
    except (SRHubError, MemoryError):
        raise
    except Image.DecompressionBombError:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise SRHubError(f"{name} has more than {limit} million pixels: cut it first") from None
    except UnidentifiedImageError:
        raise SRHubError(f"{name} is not a picture of a known format") from None
    except Exception as error:
        # Pillow's decoders raise errors of many types, SyntaxError among them, on damaged files.
        if isinstance(error, OSError) and error.strerror:
            raise SRHubError(f"cannot read {name}: {error.strerror}") from None
        raise SRHubError(f"{name} is damaged: {one_line(error)}") from None


def readable_formats() -> list[str]:
    """Names of the formats that `decode` reads, those of Pillow's installed plug-ins included."""
    Image.init()
    return sorted(set(Image.OPEN) - NOT_PICTURES)


def readable_suffixes() -> frozenset[str]:
    """File name endings, lower case with the dot, of `readable_formats`."""
    formats = set(readable_formats())
    return frozenset(s for s, name in Image.registered_extensions().items() if name in formats)


def format_of(path: Path) -> str:
    """The key of `FORMATS` that a file name asks for.

    Raises:
        SRHubError: if its suffix is of none of them.
    """
    for name, known in FORMATS.items():
        if path.suffix.lower() in known.suffixes:
            return name
    suffixes = ", ".join(known.suffixes[0] for known in FORMATS.values())
    raise SRHubError(f"{path.name} ends in {path.suffix or 'nothing'}: use one of {suffixes}")


def check_format(name: str, mode: str, size: tuple[int, int]) -> None:
    """Refuse what the file format `name` cannot hold; `size` is width and height in pixels.

    Raises:
        SRHubError: if there is no such format, or it cannot hold that mode or that many pixels.
    """
    if name not in FORMATS:
        raise SRHubError(f"unknown format {name!r}: use one of {', '.join(FORMATS)}")
    known = FORMATS[name]
    if mode not in known.modes:
        what = {"I;16": "16-bit grey", "LA": "transparency", "RGBA": "transparency"}
        fits = ", ".join(key for key, other in FORMATS.items() if mode in other.modes)
        advice = f"use {fits}" if fits else f"convert to one of {', '.join(MODES)}"
        raise SRHubError(f"{name} cannot hold {what.get(mode, f'mode {mode}')}: {advice}")
    if max(size) > known.max_side:
        raise SRHubError(
            f"{name} cannot hold {size[0]}x{size[1]} pixels, only {known.max_side} a side: use PNG"
        )


def encode(image: Image.Image, *, format: str = "PNG", quality: int = QUALITY) -> bytes:
    """The file of a picture, with the colour profile, EXIF and text of its `.info`.

    PNG holds the text as such; other formats hold only its "Software" line, as that of the EXIF.

    Args:
        image: in one of the modes of `normalise.MODES`.
        format: a key of `FORMATS`.
        quality: of JPEG and AVIF, 1 to 100.

    Raises:
        SRHubError: if the format cannot hold the picture.
    """
    stream = io.BytesIO()
    _write(image, stream, format, quality)
    return stream.getvalue()


def save(
    image: Image.Image, path: str | Path, *, format: str | None = None, quality: int = QUALITY
) -> None:
    """Write the file that `encode` gives, whole or not at all.

    `format` is taken from the suffix of `path` where it is None.

    Raises:
        SRHubError: if the format cannot hold the picture, or the file cannot be written.
    """
    path = Path(path)
    format = format or format_of(path)
    check_format(format, image.mode, image.size)

    def write(temporary: Path) -> None:
        with temporary.open("w+b") as stream:
            _write(image, stream, format, quality)

    write_whole(path, write)


def to_tensor(image: Image.Image) -> Tensor:
    """The pixels of an L, I;16 or RGB picture: (1, 3, H, W), RGB in [0, 1]; grey three times."""
    white = 65535 if image.mode == "I;16" else 255
    values = torch.from_numpy(np.array(image)).float() / white
    if image.mode == "RGB":
        return values.permute(2, 0, 1)[None].contiguous()
    return values.expand(1, 3, -1, -1)


def from_tensor(x: Tensor, mode: str = "RGB") -> Image.Image:
    """The picture of (1, 3, H, W) RGB values, clamped to [0, 1]; the inverse of `to_tensor`.

    `mode` is L, I;16 or RGB; grey is the luma of the three channels.
    """
    values = x[0].float()
    if mode == "RGB":
        values = values.permute(1, 2, 0)
    else:
        values = torch.einsum("chw,c->hw", values, values.new_tensor(LUMA))
    white, dtype = (65535, torch.uint16) if mode == "I;16" else (255, torch.uint8)
    return Image.fromarray(values.clamp(0, 1).mul(white).round().to(dtype).cpu().numpy())


def _write(image: Image.Image, stream: BinaryIO, format: str, quality: int) -> None:
    check_format(format, image.mode, image.size)
    if format == "WEBP" or (format, image.mode) == ("AVIF", "LA"):
        image = _grey_profile_to_srgb(image)
    text = image.info.get("text", {})
    exif = _exif(image, None if format == "PNG" else text.get("Software"))
    # libtiff, which compresses, cannot write the camera's and the GPS group of the EXIF data.
    deflate = format == "TIFF" and not any(group in exif for group in EXIF_GROUPS)
    if deflate:
        exif[PREDICTOR] = 2
    options: dict[str, Any] = {
        "PNG": {"pnginfo": _png_text(text), "compress_level": 4},
        "WEBP": {"lossless": True, "exact": True},
        "JPEG": {"quality": quality, "subsampling": 0},
        "AVIF": {"quality": quality, "subsampling": "4:0:0" if image.mode == "L" else "4:4:4"},
        "TIFF": {"compression": "tiff_adobe_deflate" if deflate else "raw"},
    }[format]
    if image.info.get("icc_profile"):
        options["icc_profile"] = image.info["icc_profile"]
    if len(exif):
        options["exif"] = exif.tobytes()
    try:
        image.save(stream, format, **options)
    except (OSError, ValueError, RuntimeError, struct.error) as error:
        if isinstance(error, OSError) and error.strerror:
            raise
        raise SRHubError(f"{format} cannot hold this picture: {one_line(error)}") from None


def _png_text(text: dict[str, str]) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for key, value in text.items():
        info.add_text(key, value, zip=len(value) > 1000)
    return info


def _exif(image: Image.Image, software: str | None) -> Image.Exif:
    """The EXIF data of `.info` with `software` and the picture's own size; empty without any."""
    exif = Image.Exif()
    exif.load(image.info.get("exif", b""))
    if software:
        exif[ExifTags.Base.Software] = software
    sides = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)
    camera = exif.get_ifd(ExifTags.IFD.Exif) if ExifTags.IFD.Exif in exif else {}
    for tag, side in zip(sides, image.size, strict=True):
        if tag in camera:
            camera[tag] = side
    return exif


def _grey_profile_to_srgb(image: Image.Image) -> Image.Image:
    """`image` as sRGB where it is grey with a profile for grey, which a file of RGB cannot hold."""
    profile = image.info.get("icc_profile", b"")
    if image.mode not in ("L", "LA") or profile[16:20] != b"GRAY":
        return image
    converted = to_srgb(image.convert("L"), profile, [])
    if image.mode == "LA":
        converted.putalpha(image.getchannel("A"))
    converted.info = {k: v for k, v in image.info.items() if k != "icc_profile"}
    return converted
