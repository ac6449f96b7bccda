"""The page of stored results: one table per benchmark and protocol, the reports' numbers beside."""

from pathlib import Path
from typing import Any

import gradio as gr

from sr_hub.metrics import Protocol
from sr_hub.models import BASELINES
from sr_hub.records import read_folder
from sr_hub.tables import Row, columns_of, rows_of
from sr_hub.webapp.fields import protocol_choices
from sr_hub.webapp.i18n import Say, speaker, text
from sr_hub.webapp.plot import Point, scatter
from sr_hub.webapp.printed import MAIN_REPORT, OTHER_REPORT, main_report
from sr_hub.webapp.tables import Line, html_table, metric_table
from sr_hub.webapp.theme import bar, block, heading

PRINTED_SCALE = 4
"""The enlargement of the reports' tables, and of benchmarks that are named without one."""


class Benchmarks:
    """The stored results of a folder of `eval`'s JSON files."""

    def __init__(self, folder: Path) -> None:
        self.records = read_folder(folder)

    @property
    def datasets(self) -> list[str]:
        """Benchmarks with stored or printed results, in the order in which they are known."""
        stored = [title for record in self.records for title in _titles(record).values()]
        order = ["Set5", "Set14", "BSD100", "Urban100"]
        named = dict.fromkeys([*order, *stored])
        return [name for name in named if name in stored or name in MAIN_REPORT]

    def rows(self, dataset: str, protocol: str) -> list[Row]:
        """The stored rows by PSNR; where two files hold the same model, the newer one's."""
        rows = {row.model: row for found in self._found(dataset, protocol) for row in found[1]}
        return sorted(rows.values(), key=lambda row: -row.values["psnr"])

    def origin(self, dataset: str, protocol: str) -> str:
        """Which command on which machine made the stored rows."""
        lines = [
            f"<code>{record.get('command', '')}</code> {record.get('hardware', '')}"
            for record, rows in self._found(dataset, protocol)
            if rows
        ]
        return "<br>".join(dict.fromkeys(lines))

    def _found(self, dataset: str, protocol: str) -> list[tuple[dict[str, Any], list[Row]]]:
        """Each file that has a benchmark of that title, with its rows."""
        return [
            (record, rows_of(record, name, protocol))
            for record in self.records
            for name, title in _titles(record).items()
            if title == dataset
        ]

    def table(self, dataset: str, protocol: str, say: Say) -> str:
        """The stored rows as HTML, with the main report's under its own protocol."""
        ours = self.rows(dataset, protocol)
        beside = main_report(dataset, say) if protocol == Protocol.REPORT else []
        if not ours and not beside:
            return f"<p class='note'>{say('benchmarks_none')}</p>"
        about = f"<b>{say('compare_protocol')} {protocol}</b>: {say(f'protocol_{protocol}')}"
        about += f"<br>{say('table_metrics_info')}"
        if "lpips" in columns_of(ours):
            about += f"<br>{say('table_lpips_info')}"
        if ours:
            about += f"<br>{say('benchmarks_made_by')}: {self.origin(dataset, protocol)}"
        return metric_table(ours + beside, protocol, say, about, [row.model for row in beside])

    def plot(self, dataset: str, protocol: str, say: Say) -> str:
        """PSNR of the stored rows against their seconds, as HTML."""
        points = [
            Point(row.model, row.values["seconds"], row.values["psnr"], row.model in BASELINES)
            for row in self.rows(dataset, protocol)
        ]
        return scatter(points, say("benchmarks_plot_x"), say("benchmarks_plot_y"))

    def reports(self, dataset: str, protocol: str, say: Say) -> str:
        """The reports' own tables of a benchmark as HTML, without what `table` holds already."""
        parts = []
        if printed := main_report(dataset, say):
            about = say("benchmarks_reports_info")
            if self.rows(dataset, Protocol.REPORT):
                about += f" {say('benchmarks_reports_met')}"
            if protocol == Protocol.REPORT:
                parts.append(f"<p class='note'>{about}</p>")
            else:
                names = [row.model for row in printed]
                parts.append(f"<h3>{say('benchmarks_reports')}</h3>")
                parts.append(metric_table(printed, Protocol.REPORT, say, about, names))
        if cells := OTHER_REPORT.get(dataset):
            titles = [say(f"table_{name}") for name in ("method", "psnr", "ssim")]
            line = Line(say("benchmarks_printed") % "SRGAN (PyTorch)", cells, kind="theirs")
            parts.append(f"<h3>{say('benchmarks_other')}</h3>")
            parts.append(html_table(titles, [line], say("benchmarks_other_info")))
        return "".join(parts)

    def show(self, dataset: str, protocol: str, request: gr.Request) -> tuple[str, str, str]:
        """Table, plot and the reports' tables in the visitor's language."""
        say = speaker(request)
        parts = (self.table, self.plot, self.reports)
        return tuple(part(dataset, protocol, say) for part in parts)


def _titles(record: dict[str, Any]) -> dict[str, str]:
    """What the page calls the benchmarks of one file: by their names, other scales with theirs."""
    scale = record["scale"]
    suffix = "" if scale == PRINTED_SCALE else f" ×{scale}"
    return {name: f"{name}{suffix}" for name in record["datasets"]}


def build_benchmarks(folder: Path) -> None:
    """The page's components and handlers, inside the current `gr.Blocks`."""
    stored = Benchmarks(folder)
    bar("benchmarks")
    heading("benchmarks")
    first, protocol_at_first = stored.datasets[0], str(Protocol.Y)
    with gr.Row():
        dataset = gr.Radio(
            stored.datasets, value=first, label=text("benchmarks_dataset"), elem_id="dataset"
        )
        protocol = gr.Radio(
            protocol_choices(),
            value=protocol_at_first,
            label=text("compare_protocol"),
            elem_id="protocol",
        )
    start = (first, protocol_at_first)
    with gr.Row(equal_height=False):
        with gr.Column(scale=7, min_width=300):
            table = block(lambda say: stored.table(*start, say), elem_id="numbers")
        with gr.Column(scale=5, min_width=300):
            plot = block(lambda say: stored.plot(*start, say), elem_id="plot")
    reports = block(lambda say: stored.reports(*start, say), elem_id="reports")
    listener: dict[str, Any] = {
        "fn": stored.show,
        "inputs": [dataset, protocol],
        "outputs": [table, plot, reports],
        "show_progress": "hidden",
        "api_visibility": "private",
        "queue": False,
    }
    dataset.change(**listener)
    protocol.change(**listener)
