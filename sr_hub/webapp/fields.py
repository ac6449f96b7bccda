"""Fields that several pages share: upload, examples, the spot; and how an upload is read."""

import math
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import ImageData
from PIL import Image, UnidentifiedImageError

from sr_hub.errors import SRHubError
from sr_hub.image import decode, readable_formats
from sr_hub.metrics import Protocol
from sr_hub.webapp.i18n import VisitorError, retold, text, told

EXAMPLES = Path(__file__).with_name("examples")

SILENCE = "() => ''"
"""What empties a `notice` in the browser. It stands before the listener that runs networks, for
gradio's front end comes to the later ones of a button when the earlier ones are done."""


FILE = {"_type": "gradio.FileData"}
"""What "meta" of a file says."""

UNFIT = frozenset({"FITS", "ICNS", "ICO"})
"""Formats whose pixels are read before their size is known."""

THINNEST, SMALL = 100, 100_000
"""Pictures of more than `SMALL` pixels have sides of at most this ratio: work on them takes memory
by their longer side."""


class Upload(ImageData):
    """What is sent for a picture. A program that sends another thing is told what is expected."""

    @classmethod
    def model_validate(cls, sent: object, **options: Any) -> "Upload":  # noqa: ANN401
        """What gradio calls on everything that is sent.

        It looks whether a path is one of an upload only where "meta" says that it is a file's.
        """
        if not isinstance(sent, dict) or sent.get("meta") != FILE:
            raise told(VisitorError("no_file", repr(sent)), None)
        return super().model_validate(sent, **options)


def picture_field(**arguments: Any) -> gr.Image:  # noqa: ANN401
    """A `gr.Image` whose value is the path of the uploaded file, untouched.

    gradio's own opens every upload before the app sees it: a text file called .png fails there
    with an internal message, and a picture may be converted.
    """
    field = gr.Image(
        type="filepath",
        image_mode=None,
        format="png",
        sources=["upload", "clipboard"],
        buttons=[],
        **arguments,
    )
    field.data_model = Upload
    field.preprocess = lambda payload: payload.path if payload else None
    return field


def notice() -> gr.HTML:
    """A line below the buttons that says how a run ended.

    The browser writes it: answers of the server may be lost while gradio takes back a run.
    """
    return gr.HTML(padding=False, elem_id="said")


def examples(picture: gr.Image, *names: str) -> None:
    """Our pictures of those file names; a click on one puts it into `picture`."""
    gr.Examples(
        [[str(EXAMPLES / name)] for name in names],
        inputs=[picture],
        label=text("upscale_examples"),
        api_visibility="private",
    )


def protocol_choices() -> list[tuple[str, str]]:
    """What a visitor reads of each protocol, and its name."""
    return [(text(f"protocol_{protocol}_short"), str(protocol)) for protocol in Protocol]


def spot_fields(third: gr.Slider, prefix: str = "") -> tuple[gr.Image, list[gr.Slider]]:
    """The picture on which a spot is chosen, and its controls: across, down, and `third`.

    `prefix` goes before their names on the page.
    """
    with gr.Row():
        shown = gr.Image(
            label=text("upscale_overview"),
            format="png",
            interactive=False,
            buttons=[],
            elem_id=f"{prefix}overview",
            scale=3,
        )
        with gr.Column(scale=2, min_width=260):
            third.render()
            across, down = (
                gr.Slider(
                    0, 100, 50, label=text(f"upscale_{way}"), elem_id=f"{prefix}{way}", buttons=[]
                )
                for way in ("across", "down")
            )
    return shown, [across, down, third]


def largest(max_pixels: int, width: int = 4, height: int = 3) -> tuple[int, int]:
    """Width and height of the largest picture of that shape with at most `max_pixels`."""
    factor = math.sqrt(max_pixels / (width * height))
    wide, high = max(1, int(width * factor)), max(1, int(height * factor))
    return min(wide, max(1, max_pixels // high)), min(high, max(1, max_pixels // wide))


def sides(size: tuple[int, int]) -> str:
    """Width and height for people: "2000 × 1500"."""
    return f"{size[0]} × {size[1]}"


def read_picture(path: str, max_pixels: int, request: gr.Request | None) -> Image.Image:
    """The upright picture in a visitor's file; what of the file is not kept becomes a notice.

    Raises:
        VisitorError: if it is not a picture, or has more than `max_pixels`, which is found out
            before they are read.
    """
    name = Path(path).name
    size = size_in_header(path)
    if size[0] * size[1] > SMALL and max(size) > THINNEST * min(size):
        raise VisitorError("too_thin", sides(size))
    if size[0] * size[1] > max_pixels:
        fits = largest(max_pixels, *size)
        raise VisitorError("too_large", sides(size), f"{max_pixels:,}", sides(fits))
    try:
        picture = decode(Path(path))
    except SRHubError:
        raise VisitorError("damaged", name) from None
    for notice in picture.info.get("notices", []):
        gr.Warning(f"{name} {retold(notice, request)}")
    return picture


def size_in_header(path: str) -> tuple[int, int]:
    """Width and height that a visitor's file claims, as it lies there.

    Raises:
        VisitorError: if it is not a picture.
    """
    name = Path(path).name
    try:
        formats = [name for name in readable_formats() if name not in UNFIT]
        with Image.open(path, formats=formats) as header:
            return header.size
    except FileNotFoundError:
        raise VisitorError("gone", name) from None
    except UnidentifiedImageError:
        raise VisitorError("unknown_format", name) from None
    except Image.DecompressionBombError:
        raise VisitorError("far_too_large", name, f"{2 * Image.MAX_IMAGE_PIXELS:,}") from None
    except Exception:
        # Pillow raises errors of many types on damaged files.
        raise VisitorError("damaged", name) from None
