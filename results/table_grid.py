"""A table of means as a Grid, which any form can show."""

from __future__ import annotations

from dataclasses import replace

from .grid import About, Column, Entry, Grid, Row
from .rendering.cell import CONTAMINATED, UNVERIFIED_WORDS, left_out_notes
from .table import Cell, Table

MOST_NOTES = 4


def table_grid(table: Table) -> Grid:
    """`table` with encoders in rows and fractions in columns; nothing is ranked or tested.

    Cells show how many replicates they are made of where those differ.
    """
    variant = "" if table.variant == "default" else f", {table.variant}"
    counts = {(cell.defined, cell.replicates) for cell in table.cells.values()}
    # One count for all cells is said once; otherwise every cell has its own.
    (defined, replicates), *others = sorted(counts)
    alike = not others and defined == replicates
    over = f"mean ± SD over {replicates} replicates" if alike else "mean ± SD (replicates)"
    over = "one replicate" if alike and replicates == 1 else over
    parts = [table.task, *([] if table.variant == "default" else [table.variant]), table.protocol]
    return Grid(
        name="-".join(parts).replace("_", "-"),
        title=f"{table.task}{variant}, {table.protocol}: {table.metric}, {over}",
        columns=tuple(Column(f"{fraction:g} %") for fraction in table.fractions),
        rows=tuple(
            Row(
                encoder,
                tuple(
                    replace(_entry(table.cells.get((encoder, fraction)), not alike), about=_about(table, fraction))
                    for fraction in table.fractions
                ),
                encoder=encoder,
            )
            for encoder in table.encoders
        ),
        notes=tuple(_notes(table)),
        synthetic=table.synthetic,
        row_title="encoder",
    )


def _about(table: Table, fraction: float) -> About:
    return About(table.task, table.variant, table.protocol, fraction, table.metric, table.settings_hash)


def _entry(cell: Cell | None, with_count: bool) -> Entry:
    if cell is None:
        return Entry()
    marked = Entry(contaminated=cell.contaminated, left_out=cell.left_out, unverified=cell.unverified)
    if cell.mean is None:
        return replace(marked, text="undefined", count=f"0/{cell.replicates}")
    count = f"{cell.replicates}" if cell.defined == cell.replicates else f"{cell.defined}/{cell.replicates}"
    return replace(marked, value=cell.mean, sd=cell.sd, count=count if with_count else "")


def _notes(table: Table) -> list[str]:
    notes = [f"settings {table.settings_hash}", *table.notes[:MOST_NOTES]]
    if len(table.notes) > MOST_NOTES:
        notes.append(f"and {len(table.notes) - MOST_NOTES} more notes that all trials share: see a record.json")
    if any(cell.contaminated for cell in table.cells.values()):
        notes.append(f"{CONTAMINATED} The encoder saw images of this dataset in pretraining.")
    notes += left_out_notes({table.dataset: max((cell.left_out for cell in table.cells.values()), default=0)})
    if any(cell.unverified for cell in table.cells.values()):
        notes.append(UNVERIFIED_WORDS)
    if table.trials_with_notes:
        words = "have notes of their own (labels without a case, blank AUCs): see their record.json"
        notes.append(f"{table.trials_with_notes} trials {words}")
    return notes
