"""Pictures that compare methods: the strip of the papers, with crops, and maps of the error.

Everything is computed from outputs that are there; no model runs here. Tensors are (1, 3, H, W),
RGB in [0, 1]; results are Pillow pictures.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from sr_hub.errors import SRHubError
from sr_hub.image import from_tensor
from sr_hub.tables import UNDEFINED, show

TRUTH = "ground truth"
ERROR_RANGE = 64 / 255
"""Error at which an error map reaches its last colour: 64 of 255 levels."""

_CELL = 192  # pixels a crop is shown at, about
_LARGEST = 512  # pixels a side of a picture of a contact sheet is shown at, at most
_WIDEST = 4  # times as wide as high a whole picture is shown, at most
_GAP, _LINE, _FONT_SIZE = 8, 18, 14
_PAPER, _INK, _PALE, _FRAME = "white", (20, 20, 20), (90, 90, 90), (230, 0, 60)
_HEAT = ((0, 0, 8), (70, 10, 110), (170, 35, 100), (240, 110, 30), (255, 250, 190))


class Square(NamedTuple):
    """A square of a picture, in pixels."""

    left: int
    top: int
    side: int


def box_at(x: float, y: float, side: int, width: int, height: int) -> Square:
    """The square around the point (`x`, `y`), moved and shrunk to lie inside the picture."""
    side = max(1, min(side, width, height))
    left = min(max(round(x - side / 2), 0), width - side)
    top = min(max(round(y - side / 2), 0), height - side)
    return Square(left, top, side)


def telling_box(hr: Tensor, outputs: Sequence[Tensor], side: int | None = None) -> Square:
    """The square where the methods miss most of the truth, which is where they can be told apart.

    `side` is a sixth of the longer side unless given, and 16 pixels at least.
    """
    height, width = hr.shape[-2:]
    side = min(side or max(16, max(height, width) // 6), height, width)
    error = sum((_clamped(sr) - hr).abs().mean(1, keepdim=True) for sr in outputs)
    if not len(outputs):
        error = torch.zeros_like(hr[:, :1])
    place = int(F.avg_pool2d(error, side, stride=1).argmax())
    columns = width - side + 1
    return Square(place % columns, place // columns, side)


def crop(image: Tensor, box: Square) -> Image.Image:
    """The pixels in `box`, as they are."""
    inside = image[..., box.top : box.top + box.side, box.left : box.left + box.side]
    if inside.shape[-2:] != (box.side, box.side):
        raise SRHubError(f"the box {tuple(box)} is not inside {image.shape[-1]}x{image.shape[-2]}")
    return from_tensor(_clamped(inside))


def strip(
    hr: Tensor,
    outputs: dict[str, Tensor],
    box: Square,
    captions: dict[str, str] | None = None,
    note: str = "",
    truth: str = TRUTH,
) -> Image.Image:
    """The comparison figure of the papers.

    At the left the whole ground truth with the box drawn in; at the right the crop of every method
    and, last, of the truth, each pixel a small square, with its name and caption below; at the
    bottom the note.

    Args:
        hr: ground truth.
        outputs: name of the method -> result of the same shape.
        box: what the crops show.
        captions: name -> second line below a crop, as `caption` makes it.
        note: the place to say what the captions are; broken into lines.
        truth: what the ground truth is called. Pillow's own font, in which all is written, has
            Latin letters only.

    Raises:
        SRHubError: if a result has another size, or the box is not inside.
    """
    for name, sr in outputs.items():
        if sr.shape != hr.shape:
            raise SRHubError(f"{name} is {tuple(sr.shape)}, the ground truth {tuple(hr.shape)}")
    captions = captions or {}
    pictures = {**outputs, truth: hr}
    rows = 1 if len(pictures) <= 3 else 2
    columns = math.ceil(len(pictures) / rows)
    factor = max(1, round(_CELL / box.side))
    cell, step = box.side * factor, box.side * factor + 2 * _LINE + _GAP
    whole = _whole(hr, box, rows * step - _GAP - 2 * _LINE)
    font = ImageFont.load_default(_FONT_SIZE)
    pitch = max(cell, *(_width(font, text) for text in (*pictures, *captions.values()))) + _GAP
    size = (whole.width + 2 * _GAP + columns * pitch, rows * step + _GAP)
    lines = _wrapped(font, note, size[0] - 2 * _GAP)
    sheet = Image.new("RGB", (size[0], size[1] + len(lines) * _LINE + _GAP), _PAPER)
    sheet.paste(whole, (_GAP, _GAP))
    draw = ImageDraw.Draw(sheet)
    for i, (name, image) in enumerate(pictures.items()):
        x = whole.width + 2 * _GAP + i % columns * pitch
        y = _GAP + i // columns * step
        sheet.paste(crop(image, box).resize((cell, cell), Image.Resampling.NEAREST), (x, y))
        draw.text((x, y + cell + 1), name, _INK, font)
        draw.text((x, y + cell + 1 + _LINE), captions.get(name, ""), _PALE, font)
    draw.text((_GAP, size[1]), "\n".join(lines), _PALE, font, spacing=_LINE - _FONT_SIZE)
    return sheet


def contact_sheet(
    pictures: dict[str, Tensor], captions: dict[str, str], *, columns: int = 4, note: str = ""
) -> Image.Image:
    """Whole pictures in rows of `columns`, with their names and captions below.

    Pictures with a side over 512 pixels are shown smaller.
    """
    font = ImageFont.load_default(_FONT_SIZE)
    shown = {name: from_tensor(_clamped(image)) for name, image in pictures.items()}
    for image in shown.values():
        image.thumbnail((_LARGEST, _LARGEST), Image.Resampling.LANCZOS)
    texts = (*pictures, *captions.values())
    width = max(*(i.width for i in shown.values()), *(_width(font, t) for t in texts))
    height = max(image.height for image in shown.values()) + 2 * _LINE
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    size = (columns * (width + _GAP) + _GAP, rows * (height + _GAP) + _GAP)
    lines = _wrapped(font, note, size[0] - 2 * _GAP)
    sheet = Image.new("RGB", (size[0], size[1] + _GAP + len(lines) * _LINE), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for i, (name, image) in enumerate(shown.items()):
        x, y = _GAP + i % columns * (width + _GAP), _GAP + i // columns * (height + _GAP)
        sheet.paste(image, (x, y))
        draw.text((x, y + image.height + 1), name, _INK, font)
        draw.text((x, y + image.height + 1 + _LINE), captions.get(name, ""), _PALE, font)
    draw.text((_GAP, size[1]), "\n".join(lines), _PALE, font, spacing=_LINE - _FONT_SIZE)
    return sheet


def caption(values: dict[str, float], protocol: str) -> str:
    """PSNR and SSIM of `metrics.measure` for below a crop: "28.43 dB / 0.8113"."""
    # Pillow's own font has neither the sign of infinity nor the dash.
    psnr, ssim = (
        show(values[m], m, protocol).replace("∞", "inf").replace(UNDEFINED, "-")
        for m in ("psnr", "ssim")
    )
    return f"{psnr} dB / {ssim}"


def error_map(sr: Tensor, hr: Tensor, full: float = ERROR_RANGE) -> Image.Image:
    """Where a result is wrong: the mean absolute difference of R, G and B as colour.

    Black is no error; violet, red, orange and pale yellow are a quarter, half, three quarters and
    all of `full` (a fraction of the range) or more.

    Raises:
        SRHubError: if the sizes differ.
    """
    if sr.shape != hr.shape:
        raise SRHubError(f"the result is {tuple(sr.shape)}, the ground truth {tuple(hr.shape)}")
    error = ((_clamped(sr) - _clamped(hr)).abs().mean(1) / full).clamp(0, 1)
    position = error * (len(_HEAT) - 1)
    lower = position.floor().clamp(max=len(_HEAT) - 2)
    colours = torch.tensor(_HEAT, dtype=torch.float32) / 255
    start, end = colours[lower.long()], colours[lower.long() + 1]
    mixed = torch.lerp(start, end, (position - lower)[..., None])
    return from_tensor(mixed.permute(0, 3, 1, 2))


def _whole(hr: Tensor, box: Square, height: int) -> Image.Image:
    """The picture at `height` pixels with `box` drawn in, the line outside the box.

    One that is more than `_WIDEST` times as wide as high is lower than that.
    """
    image = from_tensor(_clamped(hr))
    factor = height * min(1 / image.height, _WIDEST / image.width)
    size = tuple(max(1, round(side * factor)) for side in image.size)
    shown = image.resize(size, Image.Resampling.LANCZOS)
    left, top = box.left * factor, box.top * factor
    edges = (left - 2, top - 2, left + box.side * factor + 1, top + box.side * factor + 1)
    ImageDraw.Draw(shown).rectangle(edges, outline=_FRAME, width=2)
    return shown


def _clamped(image: Tensor) -> Tensor:
    return image.detach().float().cpu().clamp(0, 1)


def _wrapped(font: ImageFont.FreeTypeFont, text: str, width: int) -> list[str]:
    """`text` in lines that are at most `width` pixels long."""
    lines: list[str] = []
    for word in text.split():
        if lines and _width(font, f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _width(font: ImageFont.FreeTypeFont, text: str) -> int:
    return math.ceil(font.getlength(text))
