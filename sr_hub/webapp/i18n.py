"""The app's texts in three languages, chosen in the browser.

What a page holds from the start is a mark that the browser replaces: `text("upscale_title")` for a
label or a value, `everywhere(...)` for HTML with several texts in it. What an answer of the server
holds is written in the language of the request: `speaker(request)`. The package below speaks
English; what it tells a visitor comes with its kind, which has a text of its own here: `Notice`,
`HubError`. What gradio's front end says in English only is replaced in the browser.
"""

import hashlib
import json
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import gradio as gr

from sr_hub.errors import SRHubError
from sr_hub.normalise import Notice

LANGUAGES = {"en": "English", "zh-TW": "繁體中文", "zh-CN": "简体中文"}
"""Locale names, as browsers and gradio spell them, and what a reader calls them."""

COOKIE = "sr_hub_language"
"""What a page's language is called in cookies and in the browser's storage."""

HEARD = {
    "common.complete": ("message_done",),
    "common.progress": ("message_progress",),
    "status.queue_position": ("message_queued", "{position}", "{size}"),
}
"""What gradio lets screen readers say without Chinese words for it, or any -> ours, with values."""

TOAST_SECONDS = 30
"""How long an error stays on the page: long enough to be read and acted on."""

Say = Callable[[str], str]
"""Gives the text of a name in one language."""


@cache
def texts(language: str) -> dict[str, str]:
    """Every text of one of `LANGUAGES`: "page_name" -> text."""
    path = Path(__file__).with_name("texts") / f"{language}.toml"
    pages = tomllib.loads(path.read_text(encoding="utf-8"))
    return {f"{page}_{name}": text for page, names in pages.items() for name, text in names.items()}


@cache
def translations() -> gr.I18n:
    """What `launch(i18n=...)` wants; complete once the pages are built."""
    words = {language: dict(texts(language)) for language in LANGUAGES}
    for spoken in words.values():
        for key, (name, *values) in HEARD.items():
            spoken[key] = spoken[name] % tuple(values)
    return gr.I18n(**words)


def text(key: str) -> str:
    """The mark that the browser replaces by the text called `key` in the visitor's language.

    Raises:
        KeyError: if no text has that name.
    """
    texts("en")[key]
    return str(translations()(key))


def everywhere(write: Callable[[Say], str]) -> str:
    """The mark of what `write` makes of the texts of each language; the browser replaces it."""
    written = {language: write(texts(language).__getitem__) for language in LANGUAGES}
    key = "built_" + hashlib.sha256(written["en"].encode()).hexdigest()[:16]
    for language, words in written.items():
        translations().translations[language][key] = words
    return str(translations()(key))


def in_browser(key: str) -> str:
    """JavaScript that gives the text called `key` in the language of the page."""
    words = json.dumps({language: texts(language)[key] for language in LANGUAGES})
    return f"() => ({words})[document.documentElement.lang]"


def front_end_words() -> str:
    """Language -> what gradio's front end says in English only -> what it is to say, as JSON.

    In both texts %s stands for a value.
    """
    english = {key: words for key, words in texts("en").items() if key.startswith("gradio_")}
    words = {
        language: {english[key]: texts(language)[key] for key in english}
        for language in LANGUAGES
        if language != "en"
    }
    return json.dumps(words)


def language_of(request: gr.Request | None) -> str:
    """The language of the page that sent a request: its cookie, else what its browser accepts."""
    if request is None:
        return "en"
    chosen = request.cookies.get(COOKIE)
    if chosen in LANGUAGES:
        return chosen
    accepted = request.headers.get("accept-language", "").split(",")[0].lower()
    if not accepted.startswith("zh"):
        return "en"
    return "zh-TW" if any(place in accepted for place in ("tw", "hk", "mo", "hant")) else "zh-CN"


def speaker(request: gr.Request | None) -> Say:
    """The texts in the language of the request."""
    return texts(language_of(request)).__getitem__


def message(name: str, request: gr.Request | None, *values: str) -> str:
    """The notice called `name`, with `values` put in, in the language of the request."""
    notice = speaker(request)(f"message_{name}")
    return notice % values if values else notice


def retold(notice: Notice, request: gr.Request | None) -> str:
    """A notice on a file in the language of the request."""
    return speaker(request)(f"notice_{notice.kind}") % notice.values


class VisitorError(SRHubError):
    """A mistake of a visitor that the app knows, and so tells in every language.

    Args:
        name: of the notice.
        values: what is put into it.
    """

    def __init__(self, name: str, *values: str) -> None:
        super().__init__(message(name, None, *values))
        self.name, self.values = name, values


def told(error: SRHubError, request: gr.Request | None) -> gr.Error:
    """The notice of an error; of one that the app does not know only the first words are ours."""
    if not isinstance(error, VisitorError):
        error = VisitorError("failed", str(error))
    words = message(error.name, request, *error.values)
    return gr.Error(words, duration=TOAST_SECONDS, print_exception=False)
