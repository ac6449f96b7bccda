"""What any picture that Pillow can open becomes before the package works with it.

Upright, in one of five modes (`MODES`), with an `.info` that holds these keys and no others:

=============  ==================================================================================
"icc_profile"  bytes, the colour profile of the pixels; absent where they are sRGB or unknown
"exif"         bytes, the EXIF data without orientation and without tags on the file's layout
"text"         dict of str to str, the text of a PNG file; `Upscaler` adds Software, Model, Scale
"notices"      list of `Notice`, one for each thing that could not be kept; absent if all could
=============  ==================================================================================

XMP and IPTC data are not kept. Pillow 12 holds 16 bits per channel for grey pictures only: it reads
16-bit RGB, RGBA and grey+alpha files (PNG, TIFF, PPM) with 8 bits of each value, which gives a
notice here, and 10-bit and 12-bit AVIF files with 8, which it does not tell.
"""

import io
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import ExifTags, Image, ImageCms

from sr_hub.errors import SRHubError

Value = TypeVar("Value")

MODES = ("L", "LA", "RGB", "RGBA", "I;16")
"""Grey, grey with alpha, colour, colour with alpha (8 bits each), and grey with 16 bits."""

OPAQUE = {"1": "L", "L": "L", "P": "RGB", "YCbCr": "RGB", "HSV": "RGB", "RGBX": "RGB"}
TRANSPARENT = {"1": "LA", "L": "LA", "P": "RGBA", "RGB": "RGBA", "PA": "RGBA"}
PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by its EXIF orientation (1 is upright)."""

LAYOUT_TAGS = frozenset(range(254, 350)) - frozenset(range(269, 273)) - frozenset(
    (282, 283, 285, 296, 305, 306, 315, 316)
) | {*range(512, 533), 700, 33723, 34377, 34675, 37724}
"""TIFF tags that describe how one file stores its pixels, its orientation, or data that is not
EXIF (XMP, IPTC, Photoshop's resources, the colour profile)."""

SRGB_GAMMA = 0.45455
SRGB_PRIMARIES = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
"""As PNG files state them: the exponent of encoding; x and y of white, red, green and blue."""

MANY = 100
"""Pictures in one file, from which on they are not counted."""

NOTICES = {
    "animation": "holds %s pictures (an animation or pages): only the first is used",
    "page": "holds %s pictures (an animation or pages): only number %s is used",
    "depth": "has 16 bits per channel, of which 8 are used: only grey is kept in 16 bits",
    "transparent_grey": "has a transparent grey, which 16-bit grey cannot hold: it was dropped",
    "colours": (
        "has a gamma or primaries of its own (gAMA, cHRM), which are dropped: its colours will "
        "look different; give it a colour profile first"
    ),
    "exif": "has EXIF data that cannot be read: it was dropped",
    "profile": "has a colour profile that does not fit %s: converted without it",
}
"""What may be said of a file, after its name."""

EXIF_GROUPS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
EMPTY_EXIF = len(Image.Exif().tobytes())


class Notice(str):
    """One thing of a file that could not be kept, as a text to be read after the file's name.

    Its `kind`, a key of `NOTICES`, and `values` are enough to say the same in another language.
    """

    kind: str
    values: tuple[str, ...]

    def __new__(cls, kind: str, *values: str) -> "Notice":
        """The text of that kind with `values` put in."""
        notice = super().__new__(cls, NOTICES[kind] % values)
        notice.kind, notice.values = kind, values
        return notice

    def __getnewargs__(self) -> tuple[str, ...]:
        return self.kind, *self.values


def normalise(image: Image.Image) -> Image.Image:
    """A copy of `image`, upright, in one of `MODES`, with the `.info` that this module describes.

    1-bit pictures become grey; palettes become RGB, or RGBA where they hold transparency; CMYK and
    Lab become sRGB, through the colour profile where there is one. What is normal already stays.

    Raises:
        SRHubError: if it is no picture, its mode says nothing about which value is white (32-bit
            and float), or it has no pixels.
    """
    if isinstance(image, str | Path):
        raise SRHubError(f"{image} is a name: sr_hub.image.decode gives the picture in a file")
    if not isinstance(image, Image.Image):
        kind = type(image).__name__
        raise SRHubError(f"give a PIL picture, not a {kind}; Image.fromarray makes one of an array")
    if not all(image.size):
        raise SRHubError(f"{_name(image)} has no pixels")
    stored = _stored_mode(image)
    notices = [*(_known(image, "notices", list) or []), *_frames_and_depth(image, stored)]
    notices += _colours_of_png(image)
    if image.format == "TIFF":
        _exif(image, [])  # Pillow reads the groups when asked and closes the file with the pixels
    image.load()
    info = {"exif": _exif(image, notices), "text": _text(image)}
    picture = _in_known_mode(image, stored, notices)
    if image.mode not in ("CMYK", "LAB"):
        info["icc_profile"] = _known(image, "icc_profile", bytes)
    orientation = _orientation(image)
    if orientation in TURNS:
        picture = picture.transpose(TURNS[orientation])
    picture.info = {key: value for key, value in {**info, "notices": notices}.items() if value}
    return picture


def to_srgb(image: Image.Image, profile: bytes | None, notices: list[Notice]) -> Image.Image:
    """The RGB picture that `image` shows: through `profile`, by a plain formula without one."""
    try:
        if image.mode == "LAB":
            source = ImageCms.createProfile("LAB")
        elif profile:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        else:
            return image.convert("RGB")
        return ImageCms.profileToProfile(
            image,
            source,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError):
        notices.append(Notice("profile", image.mode))
        return image.convert("RGB")


def _in_known_mode(image: Image.Image, stored: str, notices: list[Notice]) -> Image.Image:
    mode = image.mode
    if mode.startswith("I;16") or (mode == "I" and image.format == "PPM"):
        if "transparency" in image.info:
            notices.append(Notice("transparent_grey"))
        return Image.fromarray(np.asarray(image).astype(np.uint16))
    if mode in ("I", "F"):
        raise SRHubError(
            f"{_name(image)} has 32-bit values (mode {mode}), of which none is known to be white: "
            f"convert it to 16-bit grey first"
        )
    if mode in ("CMYK", "LAB"):
        return to_srgb(image, _known(image, "icc_profile", bytes), notices)
    if mode in PREMULTIPLIED:
        return image.convert(PREMULTIPLIED[mode])
    if mode == "RGBA" and stored.startswith("LA"):
        return image.convert("LA")
    if mode in TRANSPARENT and (mode == "PA" or image.has_transparency_data):
        return image.convert(TRANSPARENT[mode])
    wanted = OPAQUE.get(mode, mode)
    return image.copy() if wanted == mode else image.convert(wanted)


def _frames_and_depth(image: Image.Image, stored: str) -> list[Notice]:
    """Notices on what Pillow drops when it reads the pixels."""
    notices = []
    frames = _count(image)
    if frames > 1:
        held, here = str(frames) if frames < MANY else f"{MANY}+", image.tell()
        page = Notice("page", held, str(here + 1)) if here else Notice("animation", held)
        notices.append(page)
    if ";16" in stored and image.mode in ("RGB", "RGBA", "CMYK"):
        notices.append(Notice("depth"))
    return notices


def _colours_of_png(image: Image.Image) -> list[Notice]:
    """A notice on a gamma or primaries beside sRGB's, which viewers follow and no result keeps.

    As viewers do, it passes over them beside a colour profile or the mark of sRGB.
    """
    info = image.info
    if image.format != "PNG" or info.get("icc_profile") or "srgb" in info:
        return []
    gamma, primaries = info.get("gamma", SRGB_GAMMA), info.get("chromaticity", SRGB_PRIMARIES)
    differs = abs(gamma - SRGB_GAMMA) > 0.005 or any(
        abs(value - usual) > 0.005 for value, usual in zip(primaries, SRGB_PRIMARIES, strict=True)
    )
    if not differs:
        return []
    return [Notice("colours")]


def _count(image: Image.Image) -> int:
    """How many pictures a file holds, `MANY` at most: in a TIFF Pillow counts for hours."""
    if image.format != "TIFF":
        return getattr(image, "n_frames", 1)
    here = image.tell()
    count = here + 1
    try:
        while count < MANY:
            image.seek(count)
            count += 1
    except EOFError:
        pass
    image.seek(here)
    return count


def _stored_mode(image: Image.Image) -> str:
    """How the file stores a pixel ("RGB;16B"); Pillow knows it until it has read the pixels."""
    tiles = getattr(image, "tile", None)
    arguments = tiles[0].args if tiles else ""
    if not isinstance(arguments, tuple):
        return str(arguments)
    if image.format == "PPM" and arguments[1] > 255:  # the value that is white
        return f"{arguments[0]};16B"
    return str(arguments[0])


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        return 1


def _exif(image: Image.Image, notices: list[Notice]) -> bytes | None:
    """The EXIF data without `LAYOUT_TAGS`, or None where nothing is left."""
    try:
        source, kept = image.getexif(), Image.Exif()
        for tag, value in source.items():
            if tag not in LAYOUT_TAGS and tag not in EXIF_GROUPS:
                kept[tag] = value
        for group in EXIF_GROUPS:
            entries = dict(source.get_ifd(group))
            if ExifTags.IFD.Interop in entries:
                entries[ExifTags.IFD.Interop] = source.get_ifd(ExifTags.IFD.Interop)
            if entries:
                kept.get_ifd(group).update(entries)
        damaged = not source and len(image.info.get("exif", b"")) > EMPTY_EXIF
        data = kept.tobytes()
    except Exception:
        # Damaged EXIF makes Pillow raise errors of many types; the pixels are sound all the same.
        damaged = True
    if damaged:
        notices.append(Notice("exif"))
        return None
    return data if len(data) > EMPTY_EXIF else None


def _text(image: Image.Image) -> dict[str, str]:
    text = getattr(image, "text", None) or _known(image, "text", dict) or {}
    skipped = ("XML:com.adobe.xmp", "Raw profile type")
    return {key: str(value) for key, value in text.items() if not key.startswith(skipped)}


def _known(image: Image.Image, key: str, kind: type[Value]) -> Value | None:
    """What `image.info` holds by a name, unless that is a text that a PNG file has by it."""
    value = image.info.get(key)
    return value if isinstance(value, kind) else None


def _name(image: Image.Image) -> str:
    filename = getattr(image, "filename", None)
    return Path(filename).name if filename else "the picture"
