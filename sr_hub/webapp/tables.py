"""Tables of the pages as HTML; what is best and how it reads is the word of `sr_hub.tables`."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from sr_hub import tables
from sr_hub.metrics import Protocol
from sr_hub.webapp.i18n import Say


@dataclass(frozen=True)
class Line:
    """One line of a table.

    Args:
        name: the method.
        cells: what stands in the columns.
        best: the columns, from 0, that are marked as the best of the table.
        kind: class of the line: "chosen", "theirs" or nothing.
    """

    name: str
    cells: Sequence[str]
    best: frozenset[int] = frozenset()
    kind: str = ""


def html_table(titles: Sequence[str], lines: Sequence[Line], caption: str = "") -> str:
    """The table; the first title stands over the names. Titles and caption are HTML."""
    head = "".join(f"<th scope='col'>{title}</th>" for title in titles)
    body = "".join(_line(line) for line in lines)
    below = f"<p class='note'>{caption}</p>" if caption else ""
    return f"<div class='numbers'><table><tr>{head}</tr>{body}</table></div>{below}"


def metric_table(
    rows: Sequence[tables.Row],
    protocol: str,
    say: Say,
    caption: str = "",
    theirs: Sequence[str] = (),
) -> str:
    """The table of `sr_hub.tables` rows; those of the models in `theirs` look like quotations."""
    columns, marked = tables.columns_of(rows), tables.best(rows, protocol)
    lines = [
        Line(
            row.model,
            [tables.show(row.values.get(c, float("nan")), c, protocol) for c in columns],
            frozenset(i for i, c in enumerate(columns) if row.model in marked[c]),
            "theirs" if row.model in theirs else "",
        )
        for row in rows
    ]
    titles = [say("table_method"), *(f"{say(f'table_{c}')} {_better(c)}" for c in columns)]
    return html_table(titles, lines, caption)


def definition(protocol: str) -> str:
    """What a protocol does, in one sentence without marks."""
    return Protocol(protocol).definition.replace("`", "")


def _better(column: str) -> str:
    return "↑" if column in tables.HIGHER_IS_BETTER else "↓"


def _line(line: Line) -> str:
    cells = "".join(
        f"<td class='best'>{escape(cell)}</td>" if i in line.best else f"<td>{escape(cell)}</td>"
        for i, cell in enumerate(line.cells)
    )
    return f"<tr class='{line.kind}'><td>{escape(line.name)}</td>{cells}</tr>"
