"""The page that measures: a true picture is made small, enlarged by every method, and compared."""

from typing import Any

import gradio as gr

from sr_hub.metrics import Protocol
from sr_hub.models import BASELINES
from sr_hub.webapp.comparing import CompareHandlers
from sr_hub.webapp.engine import BICUBIC, HEAVY, Engine
from sr_hub.webapp.fields import (
    SILENCE,
    examples,
    largest,
    notice,
    picture_field,
    protocol_choices,
    sides,
    spot_fields,
)
from sr_hub.webapp.i18n import Say, in_browser, text
from sr_hub.webapp.part import part_fields
from sr_hub.webapp.small import SCALE
from sr_hub.webapp.theme import bar, block, heading
from sr_hub.webapp.work import KEPT_SECONDS, discard

OTHERS = tuple(name for name in BASELINES if name != BICUBIC)
"""Interpolations that may be chosen besides bicubic."""


CHOSEN = 5
"""How many methods are chosen at first: those that a visitor would compare, in about a minute."""


def build_compare(engine: Engine) -> None:
    """The page's components and handlers, inside the current `gr.Blocks`."""
    handlers = CompareHandlers(engine)
    bar("compare")
    heading("compare", sides(largest(engine.max_pixels)))
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300):
            asked, offer = _questions(engine)
            with gr.Row():
                run = gr.Button(text("compare_run"), variant="primary", elem_id="run", scale=3)
                stop = gr.Button(text("upscale_stop"), elem_id="stop", scale=1, min_width=90)
            said = notice()
        with gr.Column(scale=7, min_width=300):
            protocol = gr.Radio(
                protocol_choices(),
                value="y",
                label=text("compare_protocol"),
                info=text("compare_protocol_info"),
                elem_id="protocol",
            )
            table_html = gr.HTML(padding=False, elem_id="numbers", min_height=120)
            csv = gr.DownloadButton(
                text("compare_csv"), size="sm", interactive=False, elem_id="csv"
            )
            with gr.Tab(text("compare_gallery")):
                gallery = _gallery("gallery")
            with gr.Tab(text("compare_errors")):
                maps = _gallery("error-maps")
                block(lambda say: f"<p class='note'>{say('compare_errors_info')}</p>")
    with gr.Column(visible=False) as section:
        block(_spot_heading)
        figure = gr.Image(
            show_label=False,
            format="png",
            interactive=False,
            buttons=["fullscreen"],
            elem_id="strip",
        )
        png = gr.DownloadButton(text("compare_png"), size="sm", elem_id="png")
        shown, place = spot_fields(
            gr.Slider(
                8,
                256,
                48,
                step=1,
                label=text("compare_size"),
                elem_id="size",
                render=False,
                buttons=[],
            )
        )
    work = gr.State(None, time_to_live=KEPT_SECONDS, delete_callback=discard)

    private = {"api_visibility": "private"}
    light = {"show_progress": "hidden", "queue": False, **private}
    seen = [shown, figure, png]
    run.click(None, None, said, js=SILENCE, **private)
    running = run.click(
        handlers.run,
        [*asked, protocol, work],
        [work, section, gallery, maps, *place, table_html, csv, *seen],
        show_progress_on=[table_html],
        **HEAVY,
        **private,
    )
    truth = asked[0]
    emptied = [work, section, gallery, maps, table_html, csv]
    truth.change(handlers.change, [truth, work], emptied, **light)
    truth.change(**offer)
    stop.click(handlers.stop, None, None, queue=False, cancels=[running], **private)
    stop.click(None, None, said, js=in_browser("message_stopped"), **private)
    rescored = {
        "fn": handlers.rescore,
        "inputs": [work, protocol],
        "outputs": [table_html, csv, *seen],
        "concurrency_limit": 2,
        **private,
    }
    protocol.change(**rescored)
    running.success(**rescored, show_progress="hidden")  # chosen anew while it ran
    looked = {"fn": handlers.look, "inputs": [work, protocol, *place], "outputs": seen, **light}
    looked |= {"queue": True, "concurrency_limit": 2}
    shown.select(handlers.point, [work], place[:2], **light).then(**looked)
    for control in place:
        control.input(**looked, trigger_mode="always_last")
    _endpoint(handlers, engine)


def _questions(engine: Engine) -> tuple[list[gr.components.Component], dict[str, Any]]:
    """True picture, part of it, small picture, damage, methods.

    And how the part is offered once there is a picture.
    """
    truth = picture_field(
        label=text("compare_truth"),
        placeholder=text("upscale_placeholder"),
        height=260,
        elem_id="truth",
    )
    examples(truth, "waves.png", "bridge.png", "chart.png")
    large, offer = part_fields(truth, engine.max_pixels)
    with gr.Accordion(text("compare_degrade"), open=False):
        block(lambda say: f"<p class='note'>{say('compare_degrade_info')}</p>")
        sigma = gr.Slider(0, 4, 0, step=0.1, label=text("compare_blur"), elem_id="blur")
        noise = gr.Slider(0, 50, 0, step=1, label=text("compare_noise"), elem_id="noise")
        quality = gr.Slider(10, 100, 100, step=1, label=text("compare_jpeg"), elem_id="jpeg")
    with gr.Accordion(text("compare_own_low"), open=False):
        low = picture_field(label=text("compare_low"), height=180, elem_id="low")
        block(lambda say: f"<p class='note'>{say('compare_low_info')}</p>")
    models = gr.CheckboxGroup(
        [*OTHERS, *engine.offered(SCALE)],
        value=engine.offered(SCALE)[:CHOSEN],
        label=text("compare_models"),
        info=text("upscale_model_info"),
        elem_id="methods",
    )
    return [truth, large, low, sigma, noise, quality, models], offer


def _gallery(name: str) -> gr.Gallery:
    return gr.Gallery(
        show_label=False,
        format="png",
        columns=3,
        height="auto",
        object_fit="contain",
        interactive=False,
        buttons=["fullscreen", "download"],
        elem_id=name,
    )


def _spot_heading(say: Say) -> str:
    return f"<h2>{say('compare_strip')}</h2><p class='lead'>{say('compare_strip_lead')}</p>"


def _endpoint(handlers: CompareHandlers, engine: Engine) -> None:
    """`/compare` for programs: a true picture, methods, a protocol -> the numbers."""
    image = picture_field(label="image", visible=False)
    models = gr.CheckboxGroup(
        [*OTHERS, *engine.offered(SCALE)],
        value=engine.offered(SCALE),
        label="models",
        visible=False,
    )
    choices = models.preprocess
    models.preprocess = lambda sent: choices([sent] if isinstance(sent, str) else sent or [])
    protocol = gr.Radio([str(p) for p in Protocol], value="y", label="protocol", visible=False)
    facts = gr.JSON(label="numbers", visible=False)
    gr.Button(visible=False).click(
        handlers.call, [image, models, protocol], [facts], api_name="compare", **HEAVY
    )
