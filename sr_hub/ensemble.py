"""The eight orientations of a picture, and the mean of what a network makes of them.

A network does not enlarge a picture and the same one turned or mirrored quite alike, and the mean
of its answers, turned back, is better than each. The literature calls this self-ensemble and puts
a plus behind the network's name.

Source: Lim et al. 2017 (EDSR), section 3.4, https://arxiv.org/abs/1707.02921.
"""

from collections.abc import Iterable
from itertools import product
from typing import NamedTuple

import numpy as np
from PIL import Image
from torch import Tensor


class Orientation(NamedTuple):
    """A way to turn a picture: its rows and columns exchanged, then upside down, then mirrored."""

    sideways: bool
    upside_down: bool
    mirrored: bool

    def turn(self, x: Tensor) -> Tensor:
        """(..., H, W) turned; (..., W, H) if `sideways`."""
        return self._flip(x.mT if self.sideways else x)

    def turn_back(self, x: Tensor) -> Tensor:
        """What `turn` made of a tensor, as it was."""
        x = self._flip(x)
        return x.mT if self.sideways else x

    def turn_image(self, image: Image.Image) -> Image.Image:
        """`image` turned as `turn` turns its tensor."""
        for step in self._steps():
            image = image.transpose(step)
        return image

    def turn_image_back(self, image: Image.Image) -> Image.Image:
        """What `turn_image` made of a picture, as it was."""
        for step in reversed(self._steps()):
            image = image.transpose(step)
        return image

    def _flip(self, x: Tensor) -> Tensor:
        dims = [dim for dim, flips in ((-2, self.upside_down), (-1, self.mirrored)) if flips]
        return x.flip(dims) if dims else x

    def _steps(self) -> list[Image.Transpose]:
        """Each of them undoes itself."""
        turns = Image.Transpose
        steps = (turns.TRANSPOSE, turns.FLIP_TOP_BOTTOM, turns.FLIP_LEFT_RIGHT)
        return [step for step, taken in zip(steps, self, strict=True) if taken]


ORIENTATIONS = tuple(Orientation(*each) for each in product((False, True), repeat=3))
"""All eight, as it is first."""


def mean_image(images: Iterable[Image.Image]) -> Image.Image:
    """The mean, rounded, of at most 256 pictures of one size and mode ("L", "RGB" or "I;16")."""
    images = iter(images)
    first = next(images)
    total, count = None, 1
    for image in images:
        values = np.asarray(image)
        if total is None:
            total = np.asarray(first).astype(np.uint16 if values.dtype == np.uint8 else np.uint32)
        total += values
        count += 1
    if total is None:
        return first
    total += count // 2
    total //= count
    return Image.fromarray(total.astype(values.dtype))
