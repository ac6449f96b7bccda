"""How the app looks: one theme, one style sheet, the bar at the top of every page.

Colours and the wave of the mark are after the woodblock print among the examples. All fonts are
served by gradio itself or by the visitor's system; nothing is fetched from elsewhere.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from sr_hub.webapp.i18n import LANGUAGES, Say, everywhere

STYLE = Path(__file__).with_name("style.css")
SCRIPT = Path(__file__).with_name("page.js")
LOGO = Path(__file__).with_name("logo.svg")

PAGES = {
    "home": "./",
    "upscale": "./upscale",
    "compare": "./compare",
    "benchmarks": "./benchmarks",
    "references": "./references",
}
"""The pages in the order of the bar, and their addresses, relative so that any root path works."""

INK = gr.themes.Color(
    name="ink",
    c50="#f0f6fb",
    c100="#dbe9f5",
    c200="#b9d4ea",
    c300="#88b5d9",
    c400="#4f90c3",
    c500="#2b72aa",
    c600="#1d5a8d",
    c700="#194972",
    c800="#163a5a",
    c900="#122d46",
    c950="#0b1c2d",
)

PAPER = gr.themes.Color(
    name="paper",
    c50="#faf8f4",
    c100="#f3f0e9",
    c200="#e5e0d5",
    c300="#cfc8b9",
    c400="#a29b8c",
    c500="#77716a",
    c600="#57534f",
    c700="#3a3b40",
    c800="#20252d",
    c900="#151a22",
    c950="#0e1219",
)

CJK = ["Noto Sans TC", "PingFang TC", "Microsoft JhengHei", "Noto Sans CJK TC", "system-ui"]


def paper_and_ink() -> gr.themes.Base:
    """The theme, light and dark."""
    return gr.themes.Base(
        primary_hue=INK,
        secondary_hue=INK,
        neutral_hue=PAPER,
        radius_size=gr.themes.sizes.radius_md,
        font=[gr.themes.GoogleFont("IBM Plex Sans"), *CJK, "sans-serif"],
        font_mono=[gr.themes.GoogleFont("IBM Plex Mono"), "ui-monospace", "monospace"],
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_800",
        block_label_background_fill="white",
        block_label_background_fill_dark="*neutral_900",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="*neutral_300",
        block_title_text_weight="600",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_500",
        button_primary_background_fill_hover_dark="*primary_600",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        input_placeholder_color="*neutral_600",
        input_placeholder_color_dark="*neutral_300",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        checkbox_label_background_fill="*neutral_100",
        checkbox_label_background_fill_dark="*neutral_800",
        checkbox_label_background_fill_hover_dark="*neutral_700",
        link_text_color="*primary_600",
        link_text_color_dark="*primary_300",
    )


def bar(page: str) -> None:
    """The bar at the top of `page`: mark, links to the pages, the languages."""

    def write(say: Say) -> str:
        languages = "".join(
            f'<button type="button" data-language="{code}" lang="{code}"'
            f"{_current(say('nav_code') == code)}>{name}</button>"
            for code, name in LANGUAGES.items()
        )
        links = "".join(
            f'<a href="{address}"{_current(name == page)}>{say(f"nav_{name}")}</a>'
            for name, address in PAGES.items()
        )
        return (
            f'<header class="bar"><a class="mark" href="./">{LOGO.read_text()}<b>sr_hub</b></a>'
            f"<nav>{links}</nav><div class='languages'>{languages}</div></header>"
        )

    gr.Navbar(visible=False)
    block(write)


def block(write: Callable[[Say], str], **arguments: Any) -> gr.HTML:  # noqa: ANN401
    """HTML that is there from the start, in the visitor's language."""
    return gr.HTML(everywhere(write), padding=False, **arguments)


def heading(page: str, *values: str) -> None:
    """The title of `page` and the sentence under it, with `values` put in."""

    def write(say: Say) -> str:
        lead = say(f"{page}_lead")
        lead = lead % values if values else lead
        return f"<h1>{say(f'{page}_title')}</h1><p class='lead'>{lead}</p>"

    block(write)


def _current(here: bool) -> str:
    return ' aria-current="true"' if here else ""
