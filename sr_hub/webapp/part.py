"""The part of a picture that is enlarged where the whole of it is too large for the server."""

import io
from dataclasses import dataclass, replace
from typing import Any, Self

import gradio as gr
from PIL import Image

from sr_hub.image import encode
from sr_hub.normalise import to_srgb
from sr_hub.webapp.fields import largest, read_picture, sides, size_in_header, spot_fields
from sr_hub.webapp.i18n import TOAST_SECONDS, Say, VisitorError, message, speaker, text
from sr_hub.webapp.view import OVERVIEW_SIDE, Spot, fit, overview, percent_at, preview
from sr_hub.webapp.work import KEPT_SECONDS

CUTTABLE = 20
"""Pictures of at most so many times the server's limit are read to cut a part out."""

LEAST = 32
"""Smallest width of a part, in pixels."""

WIDTH = 0.5
"""Width of a part at first, in widths of the largest: a quarter of its seconds."""


@dataclass(frozen=True)
class Large:
    """A picture that is too large, as its page shows it.

    Args:
        path: its file.
        size: width and height of the upright picture, in pixels.
        most: width and height of the largest part.
        small: it, reduced for the screen, as a JPEG file.
        part: what of it is enlarged.
    """

    path: str
    size: tuple[int, int]
    most: tuple[int, int]
    small: bytes
    part: Spot

    def moved(self, across: float, down: float, width: float) -> Self:
        """With the part of that width, in pixels, around a point in percent."""
        return replace(self, part=part_at(self.size, self.most, across, down, width))

    def picture(self) -> Image.Image:
        """The whole of it with the part framed."""
        return overview(Image.open(io.BytesIO(self.small)), self.part, self.size)


def part_at(
    size: tuple[int, int], most: tuple[int, int], across: float, down: float, width: float
) -> Spot:
    """The part of the shape of a picture of `size`, `most` at most, around a point in percent."""
    width = int(min(most[0], max(1, width)))
    height = min(most[1], max(1, int(size[1] * width / size[0])))
    return Spot.around(across, down, width, height, size)


def read_part(
    path: str, max_pixels: int, request: gr.Request | None, large: Large | None
) -> Image.Image:
    """The upright picture in a visitor's file; of one of more than `max_pixels` the chosen part.

    Without a choice for this file it is the one that would be chosen at first.

    Raises:
        VisitorError: if it is not a picture, or too large even for that.
    """
    whole = read_picture(path, CUTTABLE * max_pixels, request)
    if whole.width * whole.height <= max_pixels:
        return whole
    chosen = large.part if large and large.path == path else first_part(whole.size, max_pixels)
    return whole.crop(chosen.box)


def first_part(size: tuple[int, int], max_pixels: int) -> Spot:
    """The part that is chosen at first: half of the largest width, in the middle."""
    most = largest(max_pixels, *size)
    return part_at(size, most, 50, 50, most[0] * WIDTH)


def part_fields(picture: gr.Image, max_pixels: int) -> tuple[gr.State, dict[str, Any]]:
    """Where in what is given to the field `picture` the part lies, shown while one is needed.

    Returns:
        The state that holds the `Large` that is shown, or None; and the arguments of the last of
        the listeners to `picture.change`: the front end comes to a listener when those before it
        are done, and this one may read a large file.
    """
    handlers = PartHandlers(max_pixels)
    large = gr.State(None, time_to_live=KEPT_SECONDS)
    with gr.Column(visible=False, elem_id="part") as section:
        about = gr.HTML(padding=False)
        width = gr.Slider(
            LEAST,
            LEAST + 1,
            LEAST,
            step=1,
            label=text("part_width"),
            elem_id="part-width",
            render=False,
            buttons=[],
        )
        shown, place = spot_fields(width, "part-")
    light = {"show_progress": "hidden", "api_visibility": "private"}
    moved = {"fn": handlers.move, "inputs": [large, *place], "outputs": [shown, large], **light}
    moved["queue"] = False
    shown.select(handlers.point, large, place[:2], queue=False, **light).then(**moved)
    for control in place:
        control.input(**moved, trigger_mode="always_last")
    offered = [section, about, shown, *place, large]
    offer = {"fn": handlers.offer, "inputs": picture, "outputs": offered, **light}
    return large, offer | {"concurrency_limit": 2}


class PartHandlers:
    """What happens to these fields. Holds nothing of a visitor."""

    def __init__(self, max_pixels: int) -> None:
        self.max_pixels = max_pixels

    def offer(self, path: str | None, request: gr.Request) -> tuple[Any, ...]:
        """The fields for the file that was given; a warning at once if it cannot be enlarged."""
        try:
            large = self._large(path, request)
        except VisitorError as error:
            gr.Warning(message(error.name, request, *error.values), duration=TOAST_SECONDS)
            large = None
        if large is None:
            return gr.update(visible=False), *(gr.skip(),) * 5, None
        most = large.most[0]
        width = gr.update(value=large.part.width, minimum=min(LEAST, most - 1), maximum=most)
        about = self._about(large, speaker(request))
        return gr.update(visible=True), about, large.picture(), 50, 50, width, large

    def move(
        self, large: Large | None, across: float, down: float, width: float
    ) -> tuple[Any, Large | None]:
        """The picture with another part framed."""
        if large is None:
            return gr.skip(), None
        large = large.moved(across, down, width)
        return large.picture(), large

    def point(self, large: Large | None, event: gr.SelectData) -> tuple[Any, Any]:
        """Where in the picture a click fell, in percent across and down."""
        if large is None:
            return gr.skip(), gr.skip()
        return percent_at(event.index, large.size)

    def _large(self, path: str | None, request: gr.Request) -> Large | None:
        """The picture in the file, if it is too large."""
        if not path:
            return None
        width, height = size_in_header(path)
        if width * height <= self.max_pixels:
            return None
        whole = read_picture(path, CUTTABLE * self.max_pixels, request)
        small = fit(preview(whole), OVERVIEW_SIDE)
        small = to_srgb(small, small.info.get("icc_profile"), [])
        most = largest(self.max_pixels, *whole.size)
        part = first_part(whole.size, self.max_pixels)
        return Large(path, whole.size, most, encode(small, format="JPEG", quality=80), part)

    def _about(self, large: Large, say: Say) -> str:
        words = say("part_about") % (sides(large.size), sides(large.most))
        return f"<p class='note'>{words}</p>"
