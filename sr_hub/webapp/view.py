"""Pictures for the screen: previews, a spot of several results at the same size.

Nothing here is what a visitor downloads; those files come from `Upscaler` and `image.save`.
"""

from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F
from PIL import Image, ImageDraw

from sr_hub.figures import telling_box
from sr_hub.image import to_tensor

PREVIEW_SIDE = 2048
"""Longest side, in pixels, of a picture that is shown whole."""

OVERVIEW_SIDE = 720
"""Longer side, in pixels, of the picture on which a spot is chosen."""

SHOWN_SCALE = 4
"""Results of every scale are shown at the size of those that enlarge by this."""

PANE = 384
"""Side, in screen pixels, that a spot fills about."""


@dataclass(frozen=True)
class Spot:
    """A rectangle of the input picture, in its pixels."""

    left: int
    top: int
    width: int
    height: int

    @classmethod
    def around(
        cls, across: float, down: float, width: int, height: int, size: tuple[int, int]
    ) -> "Spot":
        """The one of `width` x `height` whose middle is as near as can be to a point, in percent.

        It lies within the picture of `size` = (width, height), as large as it at most.
        """
        return cls(_start(across, size[0], width), _start(down, size[1], height), width, height)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom, as Pillow wants them."""
        return self.left, self.top, self.left + self.width, self.top + self.height


def preview(image: Image.Image) -> Image.Image:
    """`image` as 8-bit RGB on white, its colour profile kept where it still fits."""
    profile = image.info.get("icc_profile") if image.mode.startswith("RGB") else None
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image, dtype=np.float32) / 257).round().astype("uint8"))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    rgb = image.convert("RGB")
    rgb.info = {"icc_profile": profile} if profile else {}
    return rgb


def fit(image: Image.Image, side: int) -> Image.Image:
    """`image`, reduced if a side is longer than `side` pixels."""
    if max(image.size) <= side:
        return image
    reduced = image.copy()
    reduced.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return reduced


def spot_at(size: tuple[int, int], across: float, down: float, zoom: int) -> Spot:
    """The spot around a point of a picture of `size` = (width, height).

    Args:
        size: width and height of the input picture, in pixels.
        across: where the middle lies, from 0 (left) to 100 (right).
        down: the same from 0 (top) to 100 (bottom).
        zoom: screen pixels per pixel of a result that is enlarged by `SHOWN_SCALE`.
    """
    width, height = (min(n, max(1, round(PANE / (zoom * SHOWN_SCALE)))) for n in size)
    return Spot.around(across, down, width, height, size)


def busiest(image: Image.Image) -> tuple[float, float]:
    """Where in `image` the finest detail lies, across and down in percent."""
    small = to_tensor(fit(preview(image), OVERVIEW_SIDE // 2))
    smooth = F.avg_pool2d(F.pad(small, [2] * 4, mode="replicate"), 5, stride=1)
    box = telling_box(small, [smooth])
    middle = (box.left + box.side / 2) / small.shape[-1], (box.top + box.side / 2) / small.shape[-2]
    return round(middle[0] * 100, 1), round(middle[1] * 100, 1)


def crop(pixels: np.ndarray, spot: Spot, scale: int, zoom: int) -> Image.Image:
    """The spot of one result (scale * H, scale * W, 3), every pixel as a square."""
    rows = slice(spot.top * scale, (spot.top + spot.height) * scale)
    columns = slice(spot.left * scale, (spot.left + spot.width) * scale)
    part = Image.fromarray(np.ascontiguousarray(pixels[rows, columns]))
    size = (spot.width * SHOWN_SCALE * zoom, spot.height * SHOWN_SCALE * zoom)
    return part.resize(size, Image.Resampling.NEAREST)


def overview_size(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height of the overview of a picture of `size`, which may be enlarged for it."""
    factor = OVERVIEW_SIDE / max(size)
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def percent_at(index: tuple[float, float], size: tuple[int, int]) -> tuple[float, float]:
    """Where a click on the overview of a picture of `size` fell, in percent across and down."""
    width, height = overview_size(size)
    return round(index[0] / width * 100, 1), round(index[1] / height * 100, 1)


def overview(image: Image.Image, spot: Spot, size: tuple[int, int]) -> Image.Image:
    """A copy of `image` at `overview_size` with a frame around the spot of the input of `size`."""
    small = image.resize(overview_size(image.size), Image.Resampling.LANCZOS, reducing_gap=2.0)
    across, down = small.width / size[0], small.height / size[1]
    left, top = round(spot.left * across), round(spot.top * down)
    right = max(round((spot.left + spot.width) * across) - 1, left)
    bottom = max(round((spot.top + spot.height) * down) - 1, top)
    draw = ImageDraw.Draw(small)
    line = max(2, max(small.size) // 240)
    draw.rectangle([left - 1, top - 1, right + 1, bottom + 1], None, "black", line + 2)
    draw.rectangle([left, top, right, bottom], None, "white", line)
    return small


def _start(percent: float, whole: int, part: int) -> int:
    middle = min(100, max(0, percent)) / 100 * whole  # in this order NaN becomes 0
    return min(max(round(middle - part / 2), 0), whole - part)
