"""Tables as tidy CSV: one line a cell, numbers at full precision."""

from __future__ import annotations

import csv as writer
import io
from collections.abc import Iterable, Sequence

from ..grid import Grid
from .cell import signs

FIELDS = (
    "table",
    "row_group",
    "row",
    "encoder",
    "column_group",
    "column",
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


def csv(grids: Iterable[Grid], encoders: Sequence[Sequence[str]] = ()) -> str:
    """All cells of `grids`, blank ones too.

    Args:
        grids: tables.
        encoders: one sequence a grid: the encoder behind each of its rows; without it the rows' labels.

    `value` and `sd` are empty where there is none, `text` says why; best, second, published and synthetic are 0 or
    1. Published cells are never synthetic.
    """
    file = io.StringIO()
    table = writer.writer(file, lineterminator="\n")
    table.writerow(FIELDS)
    for number, grid in enumerate(grids):
        names = encoders[number] if encoders else [row.label for row in grid.rows]
        for row, encoder in zip(grid.rows, names, strict=True):
            for column, entry in zip(grid.columns, row.entries, strict=True):
                table.writerow(
                    (
                        grid.name,
                        row.group,
                        row.label,
                        encoder,
                        column.group,
                        column.title,
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
