"""The app: five pages over `Upscaler` and `metrics`. The only room that imports gradio."""

from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from sr_hub.records import RESULTS
from sr_hub.webapp.benchmarks import build_benchmarks
from sr_hub.webapp.compare import build_compare
from sr_hub.webapp.engine import Engine
from sr_hub.webapp.fields import EXAMPLES
from sr_hub.webapp.home import build_home, home_pair
from sr_hub.webapp.i18n import front_end_words, texts, translations
from sr_hub.webapp.language import LanguageScript
from sr_hub.webapp.references import build_references
from sr_hub.webapp.theme import LOGO, SCRIPT, STYLE, paper_and_ink
from sr_hub.webapp.upscale import build_upscale
from sr_hub.webapp.work import KEPT_SECONDS, SWEEP_SECONDS, keep_swept

MAX_FILE_SIZE = "40mb"
"""The largest upload; the pixel limit of `Engine` is the narrower one for most files."""

QUEUE_LENGTH = 100
"""Runs that may wait; later ones are told to come back."""

SESSIONS = 1000
"""Visitors of whom the server remembers what their pages show; the oldest are forgotten first."""


def build_app(
    models: dict[str, Path] | None = None,
    *,
    max_pixels: int | None = None,
    results: Path = RESULTS,
) -> gr.Blocks:
    """The app, not launched yet; `launch_options` has the rest.

    Args:
        models: name -> Hub folder of the networks on offer, instead of the bundled ones.
        max_pixels: the largest input, in pixels, instead of SR_HUB_MAX_PIXELS or 3 million.
        results: folder of `eval`'s JSON files, instead of the stored ones.
    """
    engine = Engine(models, max_pixels=max_pixels)
    keep_swept(engine.root)
    with gr.Blocks(
        title="sr_hub",
        analytics_enabled=False,
        delete_cache=(SWEEP_SECONDS, KEPT_SECONDS - SWEEP_SECONDS),
    ) as demo:
        build_home(home_pair(engine))
    pages = {
        "upscale": lambda: build_upscale(engine),
        "compare": lambda: build_compare(engine),
        "benchmarks": lambda: build_benchmarks(results),
        "references": build_references,
    }
    for name, build in pages.items():
        with demo.route(texts("en")[f"nav_{name}"], f"/{name}", show_in_navbar=False):
            build()

    def leave(request: gr.Request) -> None:
        engine.stop(request.session_hash)

    with demo:
        demo.unload(leave)
    return demo.queue(max_size=QUEUE_LENGTH)


def launch_options() -> dict[str, Any]:
    """What `build_app().launch(...)` is given."""
    script = f"window.gradioWords = {front_end_words()};\n{SCRIPT.read_text(encoding='utf-8')}"
    return {
        "theme": paper_and_ink(),
        "css_paths": STYLE,
        "head": f"<script>{script}</script>",
        "i18n": translations(),
        "app_kwargs": {"middleware": [Middleware(LanguageScript)]},
        "favicon_path": LOGO,
        "allowed_paths": [str(EXAMPLES)],
        "max_file_size": MAX_FILE_SIZE,
        "footer_links": ["api"],
        "run_history": False,
        "ssr_mode": False,
        "enable_monitoring": False,
        "state_session_capacity": SESSIONS,
    }
