"""What a paper prints at the places of its table."""

from __future__ import annotations

from ..published_numbers import PublishedNumber, published_number
from .layout import Layout, PaperRow, Place


def printed_number(paper: str, row: PaperRow, place: Place) -> PublishedNumber | None:
    """The number that `paper` prints in `row` at `place`; None where nothing is printed."""
    at, model = place.printed, row.model or row.label
    return published_number(
        paper, at.table, at.dataset, model, at.protocol or "", at.fraction or "", at.label, at.metric
    )


def printed_extent(layout: Layout) -> str:
    """How much of the paper's table can be shown: `all cells`, `84 of 90 cells`, or `text only`, where its numbers are
    not available and only what its text says of them is."""
    cells = [
        printed_number(layout.paper, row, layout.place(block, column)) is not None
        for block in layout.blocks
        for row in layout.rows
        for column in layout.columns
        if column.beside
    ]
    if all(cells):
        return "all cells"
    return f"{sum(cells)} of {len(cells)} cells" if any(cells) else "text only"
