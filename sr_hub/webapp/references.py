"""The page of sources: the reports, what they cite, the further papers, the licences."""

from pathlib import Path

import gradio as gr

from sr_hub.webapp.i18n import Say, everywhere
from sr_hub.webapp.theme import bar

LISTS = {"main_title": "cited.md", "more_title": "further.md"}
"""Headings, by their text's name, and the files of the lists below them."""


def build_references() -> None:
    """The page's components, inside the current `gr.Blocks`."""
    bar("references")
    gr.Markdown(everywhere(_write), elem_classes="prose-page")


def _write(say: Say) -> str:
    parts = [f"# {say('references_title')}"]
    parts.append(f"## {say('references_papers')}\n\n{say('references_reports')}")
    for title, file in LISTS.items():
        body = (Path(__file__).with_name("texts") / file).read_text(encoding="utf-8")
        parts.append(f"## {say(f'references_{title}')}\n\n{body}")
    parts.append(f"## {say('references_licence_title')}\n\n{say('references_licence')}")
    return "\n\n".join(parts)
