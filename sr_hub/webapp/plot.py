"""A scatter plot as SVG: quality against time, every point named, in the colours of the theme."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 600, 380
LEFT, RIGHT, TOP, BOTTOM = 62, 24, 18, 52
"""Margins, in pixels of the drawing."""

LINE, LETTER = 16, 7
"""Height of a name and width of one of its letters, in pixels."""

DOT, GAP = 12, 10
"""Side of a point, and from its middle to its name, in pixels."""


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


@dataclass(frozen=True)
class Box:
    """What a point, a name or a bit of a line takes of the drawing, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, x: float, y: float, width: float, height: float) -> "Box":
        """The box with that middle and those sides."""
        return cls(x - width / 2, y - height / 2, x + width / 2, y + height / 2)

    def meets(self, other: "Box") -> bool:
        """Whether the two have a part in common."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def holds(self, other: "Box") -> bool:
        """Whether the other lies inside."""
        across = self.left <= other.left and other.right <= self.right
        return across and self.top <= other.top and other.bottom <= self.bottom

    def line_from(self, x: float, y: float) -> list["Box"]:
        """Bits of the line from a point to the nearest edge; one bit where the box is beside."""
        to_x = min(max(x, self.left), self.right)
        to_y = min(max(y, self.top), self.bottom)
        steps = max(1, round(math.dist((x, y), (to_x, to_y)) / GAP))
        parts = [step / steps for step in range(1, steps + 1)]
        return [Box.around(x + (to_x - x) * p, y + (to_y - y) * p, 0, 0) for p in parts]


INSIDE = Box(LEFT, 0, WIDTH, HEIGHT - BOTTOM)
"""Where names may stand."""


def scatter(points: Sequence[Point], x_title: str, y_title: str) -> str:
    """The plot as HTML; x is logarithmic. Points that are not finite and positive are left out."""
    points = [p for p in points if math.isfinite(p.y) and math.isfinite(p.x) and p.x > 0]
    if not points:
        return ""
    axes = Axes.around(points)
    places = [(p, axes.x(math.log10(p.x)), axes.y(p.y)) for p in points]
    dots = [_dot(*place) for place in places]
    drawing = "".join([*_grid(axes), *_titles(x_title, y_title), *dots, *_names(places)])
    about = f"role='img' aria-label='{escape(y_title)} / {escape(x_title)}'"
    return f"<div class='plot'><svg viewBox='0 0 {WIDTH} {HEIGHT}' {about}>{drawing}</svg></div>"


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
    """Each name as near to its point as there is room, with a line to it where it is not beside.

    The upper points choose first. A name for which there is no room at all is left out.
    """
    taken = [Box.around(x, y, DOT, DOT) for _, x, y in places]
    names = []
    for point, x, y in sorted(places, key=lambda place: (place[2], place[1])):
        name = _room(x, y, len(point.name) * LETTER, taken)
        if name is None:
            continue
        line = name.line_from(x, y)
        taken += [name, *line]
        if len(line) > 1:
            end = line[-1]
            ends = f"x1='{x:.1f}' y1='{y:.1f}' x2='{end.left:.1f}' y2='{end.top:.1f}'"
            names.append(f"<line class='leader' {ends}/>")
        names.append(_name(point.name, name, x))
    return names


def _room(x: float, y: float, width: float, taken: Sequence[Box]) -> Box | None:
    """The nearest room for the name of a point, if possible one whose line crosses nothing."""

    def clear(box: Box) -> bool:
        return not any(box.meets(other) for other in taken)

    rooms = [room for room in _rooms(x, y, width) if INSIDE.holds(room) and clear(room)]
    direct = (room for room in rooms if all(map(clear, room.line_from(x, y)[1:])))
    return next(direct, rooms[0] if rooms else None)


def _name(words: str, box: Box, x: float) -> str:
    """A name in its box, at that edge of it which is towards the point at `x`."""
    at, anchor = (box.left + box.right) / 2, "middle"
    if box.left > x:
        at, anchor = box.left, "start"
    elif box.right < x:
        at, anchor = box.right, "end"
    kind = f"class='name' text-anchor='{anchor}'"
    return _text(at, box.bottom - LINE / 4, escape(words), kind)


def _rooms(x: float, y: float, width: float) -> Iterator[Box]:
    """Where the name of a point may stand: beside it, above, below, then further and further."""
    for away in range(0, HEIGHT, 5):
        aside, up = GAP + away + width / 2, (DOT + LINE) / 2 + away
        for across, down in ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1)):
            yield Box.around(x + across * aside, y + down * up, width, LINE)


def _dot(point: Point, x: float, y: float) -> str:
    kind = " class='baseline'" if point.baseline else ""
    about = f"{escape(point.name)}: {point.x:.3g} s, {point.y:.2f} dB"
    return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='5.5'{kind}><title>{about}</title></circle>"


def _text(x: float, y: float, words: str, attributes: str) -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' {attributes}>{words}</text>"
