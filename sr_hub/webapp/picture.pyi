"""What a visitor hands in: the upload field, our examples, the way from a file to a picture."""

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import ImageData
from PIL import Image

from sr_hub.errors import SRHubError
from sr_hub.image import decode
from sr_hub.webapp.i18n import message, text

EXAMPLES = Path(__file__).with_name("examples")

class Picture(gr.Image):
    """`gr.Image` whose value is the path of the uploaded file, untouched.

    gradio's own opens every upload before the app sees it: a text file called .png fails there
    with an internal message, and a picture may be converted.
    """

    is_template = True

    def __init__(self, **arguments: Any) -> None:  # noqa: ANN401
        super().__init__(
            type="filepath",
            image_mode=None,
            format="png",
            sources=["upload", "clipboard"],
            buttons=[],
            **arguments,
        )

    def get_config(self, cls: type | None = None) -> dict[str, Any]:
        """The arguments of `gr.Image`, for its front end."""
        return super().get_config(cls or gr.Image)

    def preprocess(self, payload: ImageData | None) -> str | None:
        """The path of the upload, None where there is none."""
        return payload.path if payload else None
    from collections.abc import Callable, Sequence
    from typing import TYPE_CHECKING, Any, Literal

    from gradio.blocks import Block

    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component

def examples(picture: Picture, *names: str) -> None:
    """Our pictures of those file names; a click on one puts it into `picture`."""
    gr.Examples(
        [[str(EXAMPLES / name)] for name in names],
        inputs=[picture],
        label=text("upscale_examples"),
        api_visibility="private",
    )

def read_picture(path: str, max_pixels: int, request: gr.Request | None) -> Image.Image:
    """The upright picture in a visitor's file; what of the file is not kept becomes a notice.

    Raises:
        SRHubError: if it is not a picture, or has more than `max_pixels`, which is found out
            before they are read.
    """
    name = Path(path).name
    width, height = _size_in_header(path)
    if width * height > max_pixels:
        megapixels, limit = f"{width * height / 1e6:.1f}", f"{max_pixels / 1e6:g}"
        raise SRHubError(message("too_large", request, megapixels, f"{width}x{height}", limit))
    try:
        picture = decode(Path(path))
    except SRHubError as error:
        raise SRHubError(str(error).replace(path, name)) from None
    for notice in picture.info.get("notices", []):
        gr.Warning(f"{name} {notice}")
    return picture

def _size_in_header(path: str) -> tuple[int, int]:
    """Width and height that the file claims; (0, 0) where `decode` has to say what is wrong."""
    try:
        with Image.open(path) as header:
            return header.size
    except Exception:
        return 0, 0
