"""A scatter plot as SVG: quality against time, every point named, in the colours of the theme."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 600, 380
LEFT, RIGHT, TOP, BOTTOM = 62, 24, 18, 52
"""Margins, in pixels of the drawing."""

LINE, NAME = 15, 130
"""Height and width, in pixels, that a name is given."""


@dataclass(frozen=True)
class Point:
    """One method: seconds per picture, dB, and whether it is an interpolation."""

    name: str
    x: float
    y: float
    baseline: bool = False


@dataclass(frozen=True)
class Axes:
    """The ends of the axes: logarithms of seconds, dB, and dB from line to line."""

    low: float
    high: float
    bottom: float
    top: float
    step: float

    @classmethod
    def around(cls, points: Sequence[Point]) -> "Axes":
        """Axes with all points inside and room for the names at the right."""
        logs, values = [math.log10(p.x) for p in points], [p.y for p in points]
        room = max((max(logs) - min(logs)) * 0.08, 0.15)
        span = max(max(values) - min(values), 0.4)
        step = next(s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10) if span / s <= 7 or s == 10)
        bottom = math.floor(min(values) / step - 0.3) * step
        top = math.ceil(max(values) / step + 0.3) * step
        return cls(min(logs) - room, max(logs) + room * 2.5, bottom, top, step)

    def x(self, log: float) -> float:
        """Where a logarithm of seconds lies, in pixels from the left."""
        return LEFT + (log - self.low) / (self.high - self.low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Where a value in dB lies, in pixels from the top."""
        part = (value - self.bottom) / (self.top - self.bottom)
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)


def scatter(points: Sequence[Point], x_title: str, y_title: str) -> str:
    """The plot as HTML; x is logarithmic. Points that are not finite and positive are left out."""
    points = [p for p in points if math.isfinite(p.y) and math.isfinite(p.x) and p.x > 0]
    if not points:
        return ""
    axes = Axes.around(points)
    places = [(p, axes.x(math.log10(p.x)), axes.y(p.y)) for p in points]
    dots = [_dot(*place) for place in places]
    drawing = "".join([*_grid(axes), *_titles(x_title, y_title), *dots, *_names(places)])
    return f"<div class='plot'><svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img'>{drawing}</svg></div>"


def _grid(axes: Axes) -> list[str]:
    parts = []
    for index in range(round((axes.top - axes.bottom) / axes.step) + 1):
        value = axes.bottom + index * axes.step
        y, label = axes.y(value), f"{value:.{0 if axes.step >= 1 else 1}f}"
        line = f"x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{y:.1f}' y2='{y:.1f}'"
        parts.append(f"<line class='axis' {line}/>")
        parts.append(_text(LEFT - 8, y + 4, label, "class='tick' text-anchor='end'"))
    for decade in range(math.floor(axes.low), math.ceil(axes.high) + 1):
        for digit in (1, 2, 5):
            log = decade + math.log10(digit)
            if axes.low <= log <= axes.high:
                label, middle = f"{digit * 10**decade:g}", "class='tick' text-anchor='middle'"
                parts.append(_text(axes.x(log), HEIGHT - BOTTOM + 20, label, middle))
    return parts


def _titles(x_title: str, y_title: str) -> list[str]:
    across, down = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    turned = f"text-anchor='middle' transform='translate(16 {down}) rotate(-90)'"
    return [
        _text(across, HEIGHT - 10, x_title, "text-anchor='middle'"),
        _text(0, 0, y_title, turned),
    ]


def _names(places: Sequence[tuple[Point, float, float]]) -> list[str]:
    """The names beside their points, moved down where they would overlap."""
    taken: list[tuple[float, float]] = []
    names = []
    for point, x, y in sorted(places, key=lambda place: place[2]):
        level = y + 4.5
        while any(abs(level - h) < LINE and abs(x - place) < NAME for place, h in taken):
            level += 1
        taken.append((x, level))
        at_left = x > WIDTH - NAME
        anchor = "text-anchor='end'" if at_left else ""
        names.append(_text(x + (-10 if at_left else 10), level, escape(point.name), anchor))
    return names


def _dot(point: Point, x: float, y: float) -> str:
    kind = " class='baseline'" if point.baseline else ""
    about = f"{escape(point.name)}: {point.x:.3g} s, {point.y:.2f} dB"
    return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='5.5'{kind}><title>{about}</title></circle>"


def _text(x: float, y: float, words: str, attributes: str) -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' {attributes}>{words}</text>"
