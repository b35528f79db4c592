"""Tables as tidy CSV: one line a cell, numbers at full precision."""

from __future__ import annotations

import csv as writer
import io
from collections.abc import Iterable

from ..grid import Entry, Grid
from .cell import signs

FIELDS = (
    "table",
    "row_group",
    "row",
    "encoder",
    "column_group",
    "column",
    "task",
    "variant",
    "protocol",
    "fraction",
    "metric",
    "settings",
    "value",
    "sd",
    "count",
    "best",
    "second",
    "marks",
    "published",
    "source",
    "synthetic",
    "text",
)


def csv(grids: Iterable[Grid]) -> str:
    """All cells of `grids`, blank ones too.

    Task to metric say what a cell is a number of, also where the paper's words for row and column do not; `settings`
    is empty where there is no number of ours.
    `value` and `sd` are empty where there is none, `text` says why; best, second, published and synthetic are 0 or
    1. Published cells are never synthetic.
    """
    file = io.StringIO()
    table = writer.writer(file, lineterminator="\n")
    table.writerow(FIELDS)
    for grid in grids:
        for row in grid.rows:
            for column, entry in zip(grid.columns, row.entries, strict=True):
                table.writerow(
                    (
                        grid.name,
                        row.group,
                        row.label,
                        row.encoder,
                        column.group,
                        column.title,
                        *_about(entry),
                        "" if entry.value is None else repr(entry.value),
                        "" if entry.sd is None else repr(entry.sd),
                        entry.count,
                        int(entry.best),
                        int(entry.second),
                        signs(entry),
                        int(column.published),
                        entry.source,
                        int(grid.synthetic and not column.published),
                        entry.text,
                    )
                )
    return file.getvalue()


def _about(entry: Entry) -> tuple[str, ...]:
    about = entry.about
    if about is None:
        return ("",) * 6
    return about.task, about.variant, about.protocol, f"{about.fraction:g}", about.metric, about.settings
