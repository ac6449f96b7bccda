"""Transparency: a picture with alpha to colours and alpha that a network can enlarge, and back.

Colours under fully transparent pixels are invisible and often black or random; a network that
enlarges them draws them into the edge as a dark fringe. `split_alpha` lets the visible colours
flow over them first. `keep_solid` undoes the last value or two by which a network misses 0 and 255.
"""

from PIL import Image, ImageChops, ImageFilter


def split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The colours and the alpha of a picture; colours under alpha 0 come from their surroundings.

    LA -> (L, L), RGBA -> (RGB, L), any other mode -> (the picture, None). `join_alpha` undoes it
    wherever alpha is not 0.
    """
    if image.mode not in ("LA", "RGBA"):
        return image, None
    alpha = image.getchannel("A")
    visible = alpha.point([0] + [255] * 255)
    colours = image.convert(image.mode.removesuffix("A"))
    return _spread(colours, visible), alpha


def join_alpha(colours: Image.Image, alpha: Image.Image | None) -> Image.Image:
    """The inverse of `split_alpha`; it may reuse the memory of `colours`."""
    if alpha is not None:
        colours.putalpha(alpha)
    return colours


def keep_solid(enlarged: Image.Image, alpha: Image.Image) -> Image.Image:
    """`enlarged`, opaque and transparent wherever all 3 x 3 pixels of `alpha` around are so."""
    opaque = alpha.filter(ImageFilter.MinFilter(3)).point([0] * 255 + [255])
    enlarged = ImageChops.lighter(enlarged, opaque.resize(enlarged.size, Image.Resampling.NEAREST))
    any_trace = alpha.filter(ImageFilter.MaxFilter(3)).point([0] + [255] * 255)
    return ImageChops.darker(enlarged, any_trace.resize(enlarged.size, Image.Resampling.NEAREST))


def _spread(colours: Image.Image, visible: Image.Image) -> Image.Image:
    """`colours` with the pixels where `visible` is 0 filled by averages of the visible ones.

    A pyramid: each level halves the picture, averaging visible pixels only, until no hole is left;
    on the way back each hole takes the colour of the level below. `visible` holds 0 and 255.
    """
    low, high = visible.getextrema()
    if low or not high:
        return colours
    holed = colours.copy()
    holed.putalpha(visible)
    half = holed.reduce(2)
    half_visible = half.getchannel("A").point([0] + [255] * 255)
    filled = _spread(half.convert(colours.mode), half_visible)
    return Image.composite(colours, filled.resize(colours.size, Image.Resampling.NEAREST), visible)
