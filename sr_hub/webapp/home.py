"""The first page: what this is, one picture, where to go, why it exists."""

from pathlib import Path

import gradio as gr

from sr_hub.image import decode, save
from sr_hub.webapp.engine import BICUBIC, Engine
from sr_hub.webapp.fields import EXAMPLES
from sr_hub.webapp.i18n import Say, text
from sr_hub.webapp.theme import PAGES, bar, block

EXAMPLE = EXAMPLES / "waves.png"
PART = (112, 8, 312, 144)
"""Left, top, right, bottom of what is shown of it, in pixels: a second's work at start."""


def home_pair(engine: Engine) -> tuple[Path, Path]:
    """The first page's example, enlarged by bicubic and by the default network, as PNG files."""
    image = decode(EXAMPLE).crop(PART)
    paths = []
    for name in (BICUBIC, engine.default):
        path = engine.root / f"{EXAMPLE.stem}_{name}.png"
        save(engine.upscaler(name)(image), path)
        paths.append(path)
    return paths[0], paths[1]


def build_home(pair: tuple[Path, Path]) -> None:
    """The page's components, inside the current `gr.Blocks`.

    Args:
        pair: the same example enlarged by bicubic and by a network, as picture files.
    """
    bar("home")
    with gr.Row(equal_height=False, elem_classes="hero"):
        with gr.Column(scale=5, min_width=300):
            block(_welcome)
        with gr.Column(scale=6, min_width=300):
            gr.ImageSlider(
                tuple(str(path) for path in pair),
                label=text("home_slider"),
                format="png",
                type="filepath",
                interactive=False,
                buttons=["fullscreen"],
                elem_id="home-slider",
            )
    block(_cards)
    gr.Markdown(text("home_background"), elem_classes="prose-page")


def _welcome(say: Say) -> str:
    return (
        f"<h1>{say('home_title')}</h1><p class='lead'>{say('home_lead')}</p><p class='calls'>"
        f"<a class='call first' href='{PAGES['upscale']}'>{say('home_go_upscale')}</a>"
        f"<a class='call' href='{PAGES['compare']}'>{say('home_go_compare')}</a></p>"
    )


def _cards(say: Say) -> str:
    cards = "".join(
        f"<a href='{address}'><b>{say(f'home_{name}_title')}</b>"
        f"<p>{say(f'home_{name}_text')}</p></a>"
        for name, address in PAGES.items()
        if name != "home"
    )
    return f"<div class='cards'>{cards}</div>"
