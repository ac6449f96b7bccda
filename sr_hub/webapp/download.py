"""The file that a visitor takes away: the result as it is, or reduced to a width of choice."""

from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from sr_hub.errors import SRHubError
from sr_hub.image import decode, save
from sr_hub.output_size import OutputSize, reduce
from sr_hub.webapp.fields import sides
from sr_hub.webapp.i18n import speaker, text, told
from sr_hub.webapp.work import Work


def download_fields() -> tuple[gr.DownloadButton, gr.Slider]:
    """The button that gives the file, and the width of it, shown once there is one."""
    button = gr.DownloadButton(
        text("upscale_download"), interactive=False, variant="primary", elem_id="download"
    )
    width = gr.Slider(
        1,
        2,
        2,
        step=1,
        visible=False,
        label=text("upscale_width"),
        info=text("upscale_width_info"),
        elem_id="width",
        buttons=[],
    )
    return button, width


def offer(work: Work, request: gr.Request) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both fields with the file of the chosen result as it is, which `save_file` has written."""
    size = work.results[work.chosen].size
    width = gr.update(visible=True, minimum=work.size[0], maximum=size[0], value=size[0])
    return _button(work, size, request), width


def resize(work: Work | None, width: int, request: gr.Request) -> Any:  # noqa: ANN401
    """The button with the file of the chosen result at that width."""
    if work is None or not work.folder.exists():
        return gr.skip()
    result = work.results[work.chosen]
    size = OutputSize(width=max(1, int(width or 0))).of(work.size, result.scale)
    if not _path(work, size).exists():
        try:
            whole = decode(_path(work, result.size))
        except SRHubError as error:  # more pixels than Pillow reads
            raise told(error, request) from None
        save_file(reduce(whole, size), work)
    return _button(work, size, request)


def save_file(picture: Image.Image, work: Work) -> Path:
    """The lossless file of the chosen result, or of what it was reduced to."""
    path = _path(work, picture.size)
    save(picture, path)
    return path


def _button(work: Work, size: tuple[int, int], request: gr.Request) -> dict[str, Any]:
    label = f"{speaker(request)('upscale_download')} ({sides(size)})"
    return gr.update(label=label, value=str(_path(work, size)), interactive=True)


def _path(work: Work, size: tuple[int, int]) -> Path:
    """Named after the upload, the model without its revision, and the size where it is reduced."""
    model = work.chosen.partition("@")[0].split("/")[-1].replace(" ", "-")
    result = work.results.get(work.chosen)
    reduced = f"_{size[0]}x{size[1]}" if result and size != result.size else ""
    return work.folder / f"{work.stem}_{model}{reduced}.png"
