"""Which network suits a file, as far as the file itself tells: JPEG names its compression."""

from typing import Any

import gradio as gr
from PIL import Image

from sr_hub.degrade import jpeg_quality
from sr_hub.webapp.i18n import message, text

FOR_JPEG = "rrim-real-x4"
"""The network that was trained on compressed pictures."""

BLOCKY = 85
"""JPEG quality up to which it is named. There its LPIPS is 0.20 and that of `rrim-x4` 0.26; below
75 its PSNR is higher too (`training/experiments/compressed.md`)."""


def advice_fields(picture: gr.Image, model: gr.Dropdown) -> None:
    """A line below `picture` on a strongly compressed file, and a button that follows the advice.

    Neither is there while `model` is what they advise, or does not offer it.
    """
    if not any(FOR_JPEG in choice for choice in model.choices):
        return
    with gr.Column(visible=False, elem_id="advice") as section:
        words = gr.HTML(padding=False)
        take = gr.Button(text("advice_take"), size="sm", elem_id="advice-take")
    light = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}
    for asked in (picture, model):
        asked.change(advise, [picture, model], [section, words], **light)
    take.click(lambda: FOR_JPEG, None, model, **light)


def advise(path: str | None, model: str, request: gr.Request) -> tuple[dict[str, Any], Any]:
    """Whether the fields are shown for a file, and their line."""
    quality = compression(path) if path and model != FOR_JPEG else None
    if quality is None or quality > BLOCKY:
        return gr.update(visible=False), gr.skip()
    words = message("blocky", request, str(quality), FOR_JPEG)
    return gr.update(visible=True), f"<p class='note'>{words}</p>"


def compression(path: str) -> int | None:
    """The quality, 1 to 100, with which a JPEG file was saved; None for any other file."""
    try:
        with Image.open(path, formats=("JPEG", "MPO")) as header:
            return jpeg_quality(header.quantization[0])
    except Exception:
        # Other formats, and what Pillow raises on damaged files, which are told of elsewhere.
        return None
