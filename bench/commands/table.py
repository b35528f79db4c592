"""`cxrbench table`: mean and SD over replicates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ...results.table import Cell, Table


MOST_NOTES = 4


def table(
    store: Annotated[Path | None, typer.Option(help="Folder of records.  [default: cxrbench-results]")] = None,
    task: Annotated[str | None, typer.Option(help="Only this task.")] = None,
    metric: Annotated[str | None, typer.Option(help="Metric to show instead of the task's main one.")] = None,
    settings: Annotated[str | None, typer.Option(help="Only records with this settings hash.")] = None,
    include: Annotated[list[Path] | None, typer.Option(help="Python file that registers tasks.")] = None,
) -> None:
    """Show encoders against fractions: mean and standard deviation over replicates."""
    from rich.console import Console

    from ...results.table import tables
    from .stored import stored_records

    _, records = stored_records(store, include, task)
    metric_of = {name: metric or _main_metric(name) for name in {record.task for record in records}}
    console = Console()
    for shown in tables(records, metric_of, settings):
        _print(shown, console)


def _main_metric(task: str) -> str:
    from ...tasks.registry import tasks

    return tasks.get(task).meta.main_metric


def _print(shown: Table, console: Console) -> None:
    from rich.table import Table as Grid

    variant = "" if shown.variant == "default" else f", {shown.variant}"
    counts = {(cell.defined, cell.replicates) for cell in shown.cells.values()}
    # One count for all cells is said once; otherwise every cell has its own.
    (defined, replicates), *others = sorted(counts)
    alike = not others and defined == replicates
    over = f"mean ± SD over {replicates} replicates" if alike else "mean ± SD (replicates)"
    over = "one replicate" if alike and replicates == 1 else over
    console.print(f"[bold]{shown.task}{variant}, {shown.protocol}[/]: {shown.metric}, {over}", highlight=False)
    data = "SYNTHETIC phantom data, " if shown.synthetic else ""
    console.print(f"[dim]{data}settings {shown.settings_hash}[/]", highlight=False)
    grid = Grid(box=None, header_style="bold", padding=(0, 2, 0, 0))
    grid.add_column("encoder", overflow="fold")
    for fraction in shown.fractions:
        grid.add_column(f"{fraction:g} %", justify="right", no_wrap=True)
    for encoder in shown.encoders:
        cells = (shown.cells.get((encoder, fraction)) for fraction in shown.fractions)
        grid.add_row(encoder, *(_cell(cell, with_count=not alike) for cell in cells))
    console.print(grid)
    for note in shown.notes[:MOST_NOTES]:
        console.print(f"  {note}", style="dim", highlight=False, markup=False)
    if len(shown.notes) > MOST_NOTES:
        more = len(shown.notes) - MOST_NOTES
        console.print(f"  and {more} more notes that all trials share: see a record.json", style="dim", highlight=False)
    if shown.trials_with_notes:
        words = "have notes of their own (labels without a case, blank AUCs): see their record.json"
        console.print(f"  {shown.trials_with_notes} trials {words}", style="dim", highlight=False)
    console.print()


def _cell(cell: Cell | None, with_count: bool) -> str:
    if cell is None:
        return "·"
    if cell.mean is None:
        return f"undefined (0/{cell.replicates})"
    spread = "" if cell.sd is None else f" ± {cell.sd:.3f}"
    if not with_count:
        return f"{cell.mean:.3f}{spread}"
    count = f"{cell.replicates}" if cell.defined == cell.replicates else f"{cell.defined}/{cell.replicates}"
    return f"{cell.mean:.3f}{spread} ({count})"
