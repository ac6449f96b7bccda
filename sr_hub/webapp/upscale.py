"""The page that enlarges a picture: slider, the same spot by several methods, lossless download."""

from typing import Any

import gradio as gr

from sr_hub.webapp.advice import advice_fields
from sr_hub.webapp.download import download_fields, resize
from sr_hub.webapp.engine import BICUBIC, HEAVY, Engine
from sr_hub.webapp.fields import (
    SILENCE,
    examples,
    largest,
    notice,
    picture_field,
    sides,
    spot_fields,
)
from sr_hub.webapp.i18n import Say, in_browser, text
from sr_hub.webapp.part import part_fields
from sr_hub.webapp.theme import bar, block, heading
from sr_hub.webapp.upscaling import PANES, ZOOM, UpscaleHandlers, empty
from sr_hub.webapp.work import KEPT_SECONDS, discard

ALSO = ("srgan-x4", "rrim-x4")
"""Networks that are shown beside bicubic and the chosen model, at first."""


def build_upscale(engine: Engine) -> None:
    """The page's components and handlers, inside the current `gr.Blocks`."""
    handlers = UpscaleHandlers(engine)
    bar("upscale")
    heading("upscale", sides(largest(engine.max_pixels)))
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300):
            asked, offer = _questions(engine, handlers)
            with gr.Row():
                run = gr.Button(text("upscale_run"), variant="primary", elem_id="run", scale=3)
                stop = gr.Button(text("upscale_stop"), elem_id="stop", scale=1, min_width=90)
            said = notice()
            again = gr.Button(text("upscale_again"), variant="secondary", elem_id="again")
        with gr.Column(scale=7, min_width=300):
            slider = gr.ImageSlider(
                label=text("upscale_slider"),
                format="png",
                type="filepath",
                interactive=False,
                buttons=["fullscreen"],
                max_height=460,
                elem_id="slider",
            )
            download, width = download_fields()
            table_html = gr.HTML(padding=False, elem_id="numbers")
    with gr.Column(visible=False) as section:
        block(_spot_heading)
        panes = _panes()
        shown, place = spot_fields(
            gr.Slider(
                1,
                8,
                ZOOM,
                step=1,
                label=text("upscale_zoom"),
                elem_id="zoom",
                render=False,
                buttons=[],
            )
        )
    work = gr.State(None, time_to_live=KEPT_SECONDS, delete_callback=discard)

    private = {"api_visibility": "private"}
    light = {"show_progress": "hidden", "queue": False, **private}
    gr.on([run.click, again.click], None, None, said, js=SILENCE, **private)
    running = run.click(
        handlers.run,
        [*asked, work],
        [slider, download, width, *place, table_html, section, work, shown, *panes],
        show_progress_on=[slider],
        **HEAVY,
        **private,
    )
    ended = {"queue": False, "cancels": [running], **private}
    gr.on([stop.click, again.click], handlers.stop, None, None, **ended)
    stop.click(None, None, said, js=in_browser("message_stopped"), **private)
    looked = {"fn": handlers.look, "inputs": [work, *place], "outputs": [shown, *panes], **light}
    shown.select(handlers.point, [work], place[:2], **light).then(**looked)
    for control in place:
        control.input(**looked, trigger_mode="always_last")
    picture, shows = asked[0], [slider, download, width, table_html, section, work]
    width.release(
        resize, [work, width], download, show_progress_on=[download], concurrency_limit=2, **private
    )
    again.click(lambda old: (None, *empty(old)), [work], [picture, *shows], **light)
    picture.change(handlers.change, [picture, work], shows, **light)
    picture.change(**offer)
    _endpoint(handlers, engine)


def _questions(
    engine: Engine, handlers: UpscaleHandlers
) -> tuple[list[gr.components.Component], dict[str, Any]]:
    """Picture, part of it, model, fidelity and the model it is set for, Hub id, other methods.

    And how the part is offered once there is a picture.
    """
    networks = [name for name in engine.names if name != BICUBIC]
    picture = picture_field(
        label=text("upscale_input"),
        placeholder=text("upscale_placeholder"),
        height=300,
        elem_id="picture",
    )
    examples(picture, "waves.png", "bridge.png", "chart.png")
    large, offer = part_fields(picture, engine.max_pixels)
    model = gr.Dropdown(
        engine.names,
        value=engine.default,
        label=text("upscale_model"),
        info=text("upscale_model_info"),
        elem_id="model",
    )
    advice_fields(picture, model)
    fidelity, of = _fidelity(model, handlers)
    also = gr.CheckboxGroup(
        networks,
        value=[name for name in ALSO if name in networks],
        label=text("upscale_also"),
        elem_id="also",
    )
    with gr.Accordion(text("upscale_hub"), open=False):
        hub = gr.Textbox(
            label=text("upscale_hub_label"),
            info=text("upscale_hub_info"),
            placeholder="user/rrim-x4",
            max_lines=1,
            elem_id="hub",
        )
    return [picture, large, model, fidelity, of, hub, also], offer


def _fidelity(model: gr.Dropdown, handlers: UpscaleHandlers) -> tuple[gr.Slider, gr.State]:
    """The slider between a PSNR and a GAN model, and for which model it stands as it does.

    It is shown while one of such a pair is chosen.
    """
    start, of = handlers.offer_fidelity(model.value)
    slider = gr.Slider(
        0,
        1,
        start["value"],
        step=0.05,
        visible=start["visible"],
        label=text("upscale_fidelity"),
        info=text("upscale_fidelity_info"),
        elem_id="fidelity",
        buttons=[],
    )
    standing = gr.State(of)
    model.change(
        handlers.offer_fidelity,
        model,
        [slider, standing],
        queue=False,
        api_visibility="private",
    )
    return slider, standing


def _spot_heading(say: Say) -> str:
    return f"<h2>{say('upscale_region')}</h2><p class='lead'>{say('upscale_region_lead')}</p>"


def _panes() -> list[gr.Image]:
    """The fields that show the spot, one for each method, hidden until there is one."""
    with gr.Row(elem_id="panes"):
        return [
            gr.Image(
                format="png",
                visible=False,
                interactive=False,
                buttons=["fullscreen"],
                min_width=230,
                elem_id=f"pane-{index}",
            )
            for index in range(PANES)
        ]


def _endpoint(handlers: UpscaleHandlers, engine: Engine) -> None:
    """`/upscale` for programs: picture file, model, greatest width -> PNG file and readouts."""
    image = picture_field(label="image", visible=False)
    model = gr.Textbox(engine.default, label="model", visible=False)
    width = gr.Number(0, label="width", precision=0, minimum=0, visible=False)
    result = gr.File(label="result", visible=False)
    facts = gr.JSON(label="readouts", visible=False)
    gr.Button(visible=False).click(
        handlers.call, [image, model, width], [result, facts], api_name="upscale", **HEAVY
    )
