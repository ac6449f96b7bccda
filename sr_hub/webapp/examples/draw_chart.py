"""Draws `chart.png`: star, rings, stripes, letters, colours, to see what a method does to each.

`python sr_hub/webapp/examples/draw_chart.py` writes it anew, byte for byte on one Pillow version.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, FINER = 288, 192, 8
"""Size in pixels, and how much finer it is drawn before it is reduced."""

INK, PAPER = (16, 40, 64), (250, 248, 244)
COLOURS = ((190, 60, 48), (226, 160, 50), (72, 134, 84), (44, 112, 170), (108, 78, 150))


def star(side: int, spokes: int = 36) -> Image.Image:
    """Black and white sectors that meet in the middle: finer and finer towards it."""
    axis = np.linspace(-1, 1, side)
    x, y = np.meshgrid(axis, axis)
    dark = (np.sin(np.arctan2(y, x) * spokes) > 0) & (np.hypot(x, y) < 0.97)
    return Image.fromarray(np.where(dark[..., None], INK, PAPER).astype("uint8"))


def rings(side: int) -> Image.Image:
    """Rings that get finer outwards (a zone plate), from wide to four pixels of the small chart."""
    axis = np.linspace(-1, 1, side)
    x, y = np.meshgrid(axis, axis)
    wave = (1 + np.cos(np.pi * 11 * (x**2 + y**2))) / 2
    return Image.fromarray((wave[..., None] * PAPER + (1 - wave[..., None]) * INK).astype("uint8"))


def chart() -> Image.Image:
    """The whole chart, RGB, WIDTH x HEIGHT."""
    f = FINER
    fine = Image.new("RGB", (WIDTH * f, HEIGHT * f), PAPER)
    draw = ImageDraw.Draw(fine)
    fine.paste(star(104 * f), (8 * f, 8 * f))
    fine.paste(rings(104 * f), (120 * f, 8 * f))
    for index, step in enumerate((12, 10, 8, 6, 5, 4)):
        for line in range(4):
            left = 234 * f + line * step * f
            draw.rectangle(
                [left, (8 + index * 18) * f, left + step * f // 2, (22 + index * 18) * f], INK
            )
    for index, colour in enumerate(COLOURS):
        left = (8 + index * 22) * f
        draw.ellipse([left, 124 * f, left + 18 * f, 142 * f], colour)
        draw.polygon(
            [(left, 166 * f), (left + 9 * f, 148 * f), (left + 18 * f, 166 * f)], COLOURS[-index]
        )
    for step in range(64):
        grey = round(step / 63 * 255)
        draw.rectangle(
            [(8 + step * 1.7) * f, 174 * f, (10 + step * 1.7) * f, 184 * f], (grey, grey, grey)
        )
    top = 122
    for size in (17, 14, 11, 8):
        draw.text((128 * f, top * f), "Super-Resolution 4x", INK, ImageFont.load_default(size * f))
        top += size + 4
    return fine.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    chart().save(Path(__file__).with_name("chart.png"), optimize=True)
