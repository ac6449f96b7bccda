"""What the buttons of the Compare page do: make small, enlarge by every method, measure, look."""

import math
from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any

import gradio as gr
from PIL import Image
from torch import Tensor

from sr_hub.degrade import modcrop
from sr_hub.errors import SRHubError
from sr_hub.evaluate import Values, score
from sr_hub.figures import box_at, error_map, strip, telling_box
from sr_hub.image import from_tensor, to_tensor
from sr_hub.tables import Row, csv_table, show
from sr_hub.webapp.advance import Report
from sr_hub.webapp.engine import Engine, StoppedError
from sr_hub.webapp.fields import read_picture
from sr_hub.webapp.i18n import Say, VisitorError, message, speaker, told
from sr_hub.webapp.part import Large, read_part
from sr_hub.webapp.small import SCALE, fit_small, make_small
from sr_hub.webapp.tables import definition, metric_table
from sr_hub.webapp.view import OVERVIEW_SIDE, PREVIEW_SIDE, Spot, fit, overview, preview
from sr_hub.webapp.work import Work, discard

TRUTH, SMALL = "truth", "small"
"""Names under which a run keeps the true and the small picture."""


def measured(work: Work, protocol: str) -> list[Row]:
    """A row for each method of a run; its metrics are computed once per protocol."""
    if protocol not in work.scores:
        outputs = {name: tensor_of(work, name) for name in work.order}
        work.scores[protocol] = score(outputs, tensor_of(work, TRUTH), [protocol], SCALE)[protocol]
    scores: dict[str, Values] = work.scores[protocol]
    return [Row(n, scores[n] | {"seconds": work.results[n].seconds}) for n in work.order]


def tensor_of(work: Work, name: str) -> Tensor:
    """A kept picture as (1, 3, H, W), RGB in [0, 1]."""
    return to_tensor(Image.fromarray(work.pixels(name)))


class CompareHandlers:
    """What the page's buttons do. Holds nothing of a visitor."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def run(
        self,
        truth: str | None,
        large: Large | None,
        low: str | None,
        sigma: float,
        noise: float,
        quality: int,
        models: list[str],
        protocol: str,
        old: Work | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[Any, ...]:
        """Make the picture small, enlarge it by every method, measure; the page's new values."""
        if not truth or not models:
            raise told(VisitorError("no_model" if truth else "no_truth"), request)
        try:
            with self.engine.running(request.session_hash, truth):
                progress(0, desc=message("reading", request))
                most = self.engine.max_pixels
                picture = (
                    read_picture(truth, most, request)
                    if low
                    else read_part(truth, most, request, large)
                )
                small = read_picture(low, most, request) if low else None
                lr, hr = pair(picture, small, (sigma, noise, quality))
                reporter = partial(
                    self.engine.reporter, names=models, request=request, progress=progress
                )
                work = self._enlarge(truth, lr, hr, models, reporter)
                progress(0, desc=message("measuring", request))
                seen = first_look(work, protocol, speaker(request))
                discard(old)
                return work, *seen
        except StoppedError:
            return (gr.skip(),) * 12
        except SRHubError as error:
            raise told(error, request) from None

    def change(self, truth: str | None, work: Work | None, request: gr.Request) -> tuple[Any, ...]:
        """A page without the results of another picture than the one that was given."""
        self.engine.stop_others(request.session_hash, truth)
        discard(work)
        csv = gr.update(value=None, interactive=False)
        return None, gr.update(visible=False), None, None, "", csv

    def rescore(self, work: Work | None, protocol: str, request: gr.Request) -> tuple[Any, ...]:
        """The numbers of a run under another protocol: table, CSV, strip. Nothing is run again."""
        if work is None or not work.folder.exists():
            return (gr.skip(),) * 5
        say = speaker(request)
        return *numbers(work, protocol, say), *spot(work, protocol, say)

    def look(
        self,
        work: Work | None,
        protocol: str,
        across: float,
        down: float,
        side: int,
        request: gr.Request,
    ) -> tuple[Any, ...]:
        """The overview with the spot framed, the strip of the spot and its file."""
        if work is None or not work.folder.exists():
            return (gr.skip(),) * 3
        work.spot = (across, down, int(side))
        return spot(work, protocol, speaker(request))

    def point(self, work: Work | None, event: gr.SelectData) -> tuple[Any, Any]:
        """Where in the picture a click on the overview fell, in percent across and down."""
        return work.percent(TRUTH, event) if work else (gr.skip(), gr.skip())

    def stop(self, request: gr.Request) -> None:
        """End the visitor's run at its next layer."""
        self.engine.stop(request.session_hash)

    def call(
        self, image: str | None, models: list[str], protocol: str, request: gr.Request
    ) -> dict[str, Any]:
        """Make a true picture four times smaller, enlarge it by each model, measure.

        Args:
            image: any picture file.
            models: names of methods, such as bicubic and rrim-x4.
            protocol: y, rgb or report.
            request: comes from gradio.

        Returns:
            The protocol's definition, and the metrics and seconds of each model.
        """
        if not image or not models:
            raise told(VisitorError("no_model" if image else "no_truth"), request)
        try:
            picture = read_picture(image, self.engine.max_pixels, request)
            lr, hr = pair(picture, None, (0, 0, 100))
            work = self._enlarge(image, lr, hr, models)
            rows = measured(work, protocol)
        except SRHubError as error:
            raise told(error, request) from None
        discard(work)
        values = {
            row.model: {k: v if math.isfinite(v) else str(v) for k, v in row.values.items()}
            for row in rows
        }
        return {"protocol": protocol, "definition": definition(protocol), "models": values}

    def _enlarge(
        self,
        path: str,
        lr: Tensor,
        hr: Tensor,
        models: list[str],
        reporter: Callable[[str], Report] | None = None,
    ) -> Work:
        """Every model's result for the small picture, kept on disk."""
        for name in models:
            scale = self.engine.upscaler(name).scale
            if scale != SCALE:
                raise VisitorError("other_scale", name, str(scale))
        small = from_tensor(lr)
        work = Work.begin(self.engine.root, path, small, TRUTH, models)
        work.keep(TRUTH, from_tensor(hr), scale=SCALE)
        work.keep(SMALL, small)
        for name in models:
            report = reporter(name) if reporter else None
            made = self.engine.enlarge(name, small, report)
            work.keep(name, made.picture, scale=SCALE, seconds=made.seconds, device=made.device)
        return work


def pair(
    truth: Image.Image, small: Image.Image | None, damage: tuple[float, float, int]
) -> tuple[Tensor, Tensor]:
    """The small and the true picture, each (1, 3, h, w) in [0, 1], cut to fit.

    Without a `small` one it is made, with blur, noise and JPEG of `damage`.
    """
    hr = to_tensor(preview(truth))
    if small:
        return fit_small(to_tensor(preview(small)), hr)
    return make_small(hr, *damage), modcrop(hr, SCALE)


def first_look(work: Work, protocol: str, say: Say) -> tuple[Any, ...]:
    """Everything that a finished run shows: section, galleries, controls, numbers, spot."""
    hr, names = tensor_of(work, TRUTH), work.order
    outputs = {name: tensor_of(work, name) for name in names}
    box = telling_box(hr, list(outputs.values()))
    width, height = work.results[TRUTH].size
    across = round((box.left + box.side / 2) / width * 100, 1)
    down = round((box.top + box.side / 2) / height * 100, 1)
    work.spot = (across, down, box.side)
    shown = {TRUTH: say("compare_truth_name"), SMALL: say("compare_small_name")}
    pictures = [
        (str(work.picture(name, PREVIEW_SIDE)), shown.get(name, name))
        for name in (TRUTH, *names, SMALL)
    ]
    maps = [
        (str(work.save(fit(error_map(sr, hr), PREVIEW_SIDE), f"error-{i}.png")), name)
        for i, (name, sr) in enumerate(outputs.items())
    ]
    side = gr.update(value=box.side, maximum=max(min(width, height), 17))
    return (
        gr.update(visible=True),
        pictures,
        maps,
        across,
        down,
        side,
        *numbers(work, protocol, say),
        *spot(work, protocol, say),
    )


def numbers(work: Work, protocol: str, say: Say) -> tuple[str, Any]:
    """The table with the protocol's definition, and its CSV file."""
    rows = measured(work, protocol)
    width, height = work.size
    small = f"{say('compare_small_name')}: {width} × {height} {say('table_pixels')}"
    about = (
        f"<b>{say('compare_protocol')} {protocol}</b>: {say(f'protocol_{protocol}')}<br>"
        f"{escape(work.stem)} · {small} · "
        f"{say('table_device')} {work.results[rows[-1].model].device}<br>"
        f"{say('table_metrics_info')}"
    )
    path = work.folder / f"{work.stem}_{protocol}.csv"
    path.write_text(csv_table(rows, protocol, definition(protocol)), encoding="utf-8")
    file = gr.update(value=str(path), interactive=True)
    return metric_table(rows, protocol, say, about), file


def spot(work: Work, protocol: str, say: Say) -> tuple[str, str, Any]:
    """The overview with the spot framed, the strip of the spot, the strip's file."""
    across, down, side = work.spot
    size = work.results[TRUTH].size
    box = box_at(across / 100 * size[0], down / 100 * size[1], side, *size)
    captions = {
        row.model: " / ".join(show(row.values[m], m, protocol) for m in ("psnr", "ssim"))
        for row in measured(work, protocol)
    }
    outputs = {name: tensor_of(work, name) for name in work.order}
    note, truth = say("compare_strip_note") % protocol, say("compare_strip_truth")
    sheet = strip(tensor_of(work, TRUTH), outputs, box, captions, note, truth)
    path = str(work.save(sheet, f"{work.stem}_strip.png"))
    with Image.open(work.picture(TRUTH, OVERVIEW_SIDE)) as whole:
        framed = overview(whole, Spot(box.left, box.top, box.side, box.side), size)
    return str(work.save(framed, "overview.png")), path, gr.update(value=path)
