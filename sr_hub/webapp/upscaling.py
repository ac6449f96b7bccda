"""What the buttons of the Upscale page do: run the networks, look around in what they made."""

import math
from collections.abc import Iterator
from html import escape
from typing import Any

import gradio as gr
from PIL import Image

from sr_hub.errors import SRHubError
from sr_hub.image import to_tensor
from sr_hub.metrics import consistency
from sr_hub.output_size import OutputSize, reduce
from sr_hub.tables import show
from sr_hub.webapp.advance import Report
from sr_hub.webapp.download import offer, save_file
from sr_hub.webapp.engine import BICUBIC, Engine, StoppedError
from sr_hub.webapp.fields import read_picture
from sr_hub.webapp.i18n import Say, VisitorError, message, speaker, text, told
from sr_hub.webapp.part import Large, read_part
from sr_hub.webapp.tables import Line, html_table
from sr_hub.webapp.view import (
    OVERVIEW_SIDE,
    PREVIEW_SIDE,
    busiest,
    crop,
    overview,
    preview,
    spot_at,
)
from sr_hub.webapp.work import Work, discard

PANES = 6
"""Most methods that are shown side by side."""

ZOOM = 3
"""Screen pixels per pixel of a result, at first."""


class UpscaleHandlers:
    """What the page's buttons do. Holds nothing of a visitor."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def run(
        self,
        path: str | None,
        large: Large | None,
        model: str,
        fidelity: float,
        fidelity_of: str,
        hub: str,
        also: list[str],
        old: Work | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Iterator[tuple[Any, ...]]:
        """Enlarge by bicubic, the chosen model and the others; show each as soon as it is there.

        Where the slider still stands as it did for another model, `fidelity_of`, it does not count.
        """
        if not path:
            raise told(VisitorError("no_picture"), request)
        chosen = (hub or "").strip() or model
        if fidelity_of == model and self.engine.pair(chosen):
            chosen = self.engine.at_fidelity(chosen, fidelity)
        names = list(dict.fromkeys([BICUBIC, chosen, *also]))
        if left_out := names[PANES:]:
            gr.Info(message("left_out", request, str(PANES), ", ".join(left_out)))
        names = names[:PANES]
        order = sorted(names, key=self.engine.place)
        try:
            with self.engine.running(request.session_hash, path):
                progress(0, desc=message("reading", request))
                self.engine.upscaler(chosen)
                image = read_part(path, self.engine.max_pixels, request, large)
                work = Work.begin(self.engine.root, path, image, chosen, order)
                work.spot = (*busiest(image), ZOOM)
                for name in names:
                    report = self.engine.reporter(name, names, request, progress)
                    yield self._step(name, image, work, report, request)
                    if old and chosen in work.results:
                        discard(old)  # not before: until then the page still shows it
        except StoppedError:
            return
        except SRHubError as error:
            raise told(error, request) from None

    def offer_fidelity(self, model: str) -> tuple[dict[str, Any], str]:
        """The slider for `model`, at its end of the pair or, without one, hidden; and `model`."""
        pair = self.engine.pair(model)
        value = 0 if pair and model == pair[1] else 1
        return gr.update(visible=pair is not None, value=value), model

    def look(self, work: Work | None, across: float, down: float, zoom: int) -> tuple[Any, ...]:
        """The overview with the spot framed, and the spot by every method."""
        if work is None or not work.folder.exists():
            return (gr.skip(),) * (1 + PANES)
        work.spot = (across, down, int(zoom))
        return spot_pictures(work)

    def point(self, work: Work | None, event: gr.SelectData) -> tuple[Any, Any]:
        """Where in the picture a click on the overview fell, in percent across and down."""
        return work.percent(work.chosen, event) if work else (gr.skip(), gr.skip())

    def change(self, path: str | None, work: Work | None, request: gr.Request) -> tuple[Any, ...]:
        """A page without the results of another picture than the one that was given."""
        self.engine.stop_others(request.session_hash, path)
        return empty(work)

    def stop(self, request: gr.Request) -> None:
        """End the visitor's run at its next layer."""
        self.engine.stop(request.session_hash)

    def call(
        self, image: str | None, model: str, width: int | None, request: gr.Request
    ) -> tuple[str, dict[str, Any]]:
        """Enlarge one picture file.

        Args:
            image: any picture file.
            model: a bundled model, "bicubic", a Hub id like user/rrim-x4, or a bundled model
                between its PSNR (1) and GAN (0) form, as in "rrim-x4 at fidelity 0.5".
            width: most pixels of a row of the result, which is reduced to it; 0 for any number.
            request: comes from gradio.

        Returns:
            A PNG file, and what was measured: sizes, seconds, consistency PSNR in dB.
        """
        if not image:
            raise told(VisitorError("no_picture"), request)
        try:
            source = read_picture(image, self.engine.max_pixels, request)
            made = self.engine.enlarge(model, source)
            scale = self.engine.upscaler(model).scale
        except SRHubError as error:
            raise told(error, request) from None
        kept = consistency_of(made.picture, source, scale)
        size = OutputSize(width=width or None).of(source.size, scale)
        work = Work.begin(self.engine.root, image, source, model, [model])
        facts = {
            "model": model,
            "input": list(source.size),
            "output": list(size),
            "seconds": round(made.seconds, 3),
            "consistency_psnr": round(kept, 3) if math.isfinite(kept) else str(kept),
            "device": made.device,
        }
        return str(save_file(reduce(made.picture, size), work)), facts

    def _step(
        self,
        name: str,
        image: Image.Image,
        work: Work,
        report: Report,
        request: gr.Request,
    ) -> tuple[Any, ...]:
        """Run one method; the page's new values."""
        scale = self.engine.upscaler(work.chosen).scale
        own = self.engine.upscaler(name, scale).scale
        picture, seconds, device = self.engine.enlarge(name, image, report, scale=scale)
        work.keep(
            name,
            picture,
            scale=own,
            seconds=seconds,
            consistency=consistency_of(picture, image, own),
            device=device,
        )
        if work.chosen not in work.results:
            return (gr.skip(),) * (10 + PANES)
        once = (gr.skip(),) * 6
        if name == work.chosen:
            pair = tuple(str(work.picture(n, PREVIEW_SIDE)) for n in (BICUBIC, name))
            slider = gr.update(value=pair, label=f"{BICUBIC} | {name}")
            save_file(picture, work)
            once = (slider, *offer(work, request), *work.spot)
        table = numbers(work, speaker(request))
        return (*once, table, gr.update(visible=True), work, *spot_pictures(work))


def consistency_of(picture: Image.Image, image: Image.Image, scale: int) -> float:
    """PSNR in dB of `picture`, made small again, against `image`; both as seen on white."""
    return consistency(to_tensor(preview(picture)), to_tensor(preview(image)), scale)


def spot_pictures(work: Work) -> tuple[Any, ...]:
    """The overview with the spot framed, then one pane for each result, the rest hidden."""
    across, down, zoom = work.spot
    spot = spot_at(work.size, across, down, zoom)
    with Image.open(work.picture(work.chosen, OVERVIEW_SIDE)) as whole:
        whole.load()
    panes = []
    for index, (name, result) in enumerate(work.shown()):
        pane = crop(work.pixels(name), spot, result.scale, zoom)
        path = work.save(pane, f"pane-{index}.png")
        panes.append(gr.update(value=str(path), label=name, visible=True))
    panes += [gr.update(value=None, visible=False)] * (PANES - len(panes))
    return (str(work.save(overview(whole, spot, work.size), "overview.png")), *panes)


def numbers(work: Work, say: Say) -> str:
    """The table of a run as HTML."""
    titles = [
        say("table_method"),
        f"{say('table_output')} ({say('table_pixels')})",
        say("table_seconds"),
        f"{say('table_consistency')} (dB)",
    ]
    alike = len({result.scale for result in work.results.values()}) == 1
    top = max(round(result.consistency, 2) for result in work.results.values())
    lines = []
    for name, result in work.shown():
        size, kept = f"{result.size[0]} × {result.size[1]}", show(result.consistency, "psnr", "y")
        best = frozenset({2} if alike and round(result.consistency, 2) == top else ())
        kind = "chosen" if name == work.chosen else ""
        lines.append(Line(name, (size, f"{result.seconds:.2f}", kept), best, kind))
    width, height = work.size
    about = (
        f"{escape(work.stem)} · {say('table_input')}: {width} × {height} {say('table_pixels')} · "
        f"{say('table_device')} {work.results[work.chosen].device}<br>"
        f"{say('table_consistency_info')}<br>{say('upscale_lossless')}"
    )
    return html_table(titles, lines, about)


def empty(work: Work | None) -> tuple[Any, ...]:
    """A page without results: slider, download, its width, numbers, spot, work."""
    discard(work)
    download = gr.update(label=text("upscale_download"), value=None, interactive=False)
    hidden = gr.update(visible=False)
    return None, download, hidden, "", hidden, None
