"""How large a result is to be, where that is not the size that a network gives it."""

import math
import re
from dataclasses import dataclass
from typing import Self

from PIL import Image

from sr_hub.alpha import join_alpha, split_alpha
from sr_hub.errors import SRHubError

_BOX = re.compile(r"(\d*)x(\d*)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class OutputSize:
    """So many times the picture, or as large as fits into a box.

    Args:
        factor: sides of the result in those of the picture, above 0 and at most the network's
            scale; None for that scale.
        width: most pixels of the result; None for any number.
        height: likewise.
    """

    factor: float | None = None
    width: int | None = None
    height: int | None = None

    @classmethod
    def parse(cls, factor: float | None, box: str | None) -> Self:
        """From the text of a box, "3840x2160", "3840x" or "x2160", and a factor.

        Raises:
            SRHubError: if the text is no box, or there are both.
        """
        if box is None:
            return cls(factor)
        if factor is not None:
            raise SRHubError("a scale and a box for the results: give one of them")
        match = _BOX.fullmatch(box.strip())
        sides = [int(side) if side else None for side in match.groups()] if match else []
        if not any(sides) or 0 in sides:
            raise SRHubError(f"{box!r} is no box of pixels: give 3840x2160, 3840x or x2160")
        return cls(None, *sides)

    def check(self, scale: int, name: str) -> None:
        """Refuse a factor that the network called `name`, which has that scale, does not reach.

        Raises:
            SRHubError: if it does not, or is no factor.
        """
        if self.factor is not None and not 0 < self.factor <= scale:
            raise SRHubError(
                f"a scale of {self.factor:g}: give more than 0 and at most {scale}, that of {name}"
            )

    def of(self, picture: tuple[int, int], scale: int) -> tuple[int, int]:
        """Width and height of the result of a `picture` by a network of that scale.

        It has the shape of the picture, as far as whole pixels allow.
        """
        width, height = picture
        factor = scale if self.factor is None else self.factor
        factor = min(factor, (self.width or math.inf) / width, (self.height or math.inf) / height)
        return max(1, round(width * factor)), max(1, round(height * factor))


FULL = OutputSize()
"""As the network makes it."""


def reduce(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The result `image` of an `Upscaler` at a smaller size, by Pillow's bicubic.

    Its mode and `.info` stay; the text of who made it says so.
    """
    if image.size == size:
        return image
    colours, alpha = (
        part and part.resize(size, Image.Resampling.BICUBIC) for part in split_alpha(image)
    )
    reduced = join_alpha(colours, alpha)
    text = dict(image.info["text"])
    text["Software"] += f", reduced to {size[0]}x{size[1]}"
    reduced.info = {**image.info, "text": text}
    return reduced
