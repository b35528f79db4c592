"""`cxrbench table`: mean and SD over replicates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ...results.table import Cell, Table


def table(
    store: Annotated[Path, typer.Option(help="Folder of records.")] = Path("cxrbench-results"),
    task: Annotated[str | None, typer.Option(help="Only this task.")] = None,
    metric: Annotated[str | None, typer.Option(help="Metric to show instead of the task's main one.")] = None,
    settings: Annotated[str | None, typer.Option(help="Only records with this settings hash.")] = None,
    include: Annotated[list[Path] | None, typer.Option(help="Python file that registers tasks.")] = None,
) -> None:
    """Show encoders against fractions: mean and standard deviation over replicates."""
    from rich.console import Console

    from ...results.table import tables
    from .stored import stored_records

    records = stored_records(store, include or [], task)
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
    console.print(
        f"[bold]{shown.task}{variant}, {shown.protocol}[/]: {shown.metric}, mean ± SD (replicates)", highlight=False
    )
    data = "SYNTHETIC phantom data, " if shown.synthetic else ""
    console.print(f"[dim]{data}settings {shown.settings_hash}[/]", highlight=False)
    grid = Grid(box=None, header_style="bold", padding=(0, 3, 0, 0))
    grid.add_column("encoder")
    for fraction in shown.fractions:
        grid.add_column(f"{fraction:g} %", justify="right")
    for encoder in shown.encoders:
        grid.add_row(encoder, *(_cell(shown.cells.get((encoder, fraction))) for fraction in shown.fractions))
    console.print(grid)
    for note in shown.notes:
        console.print(f"  note: {note}", style="dim", highlight=False, markup=False)
    console.print()


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return "·"
    if cell.mean is None:
        return f"undefined (0/{cell.replicates})"
    spread = "" if cell.sd is None else f" ± {cell.sd:.3f}"
    count = f"{cell.replicates}" if cell.defined == cell.replicates else f"{cell.defined}/{cell.replicates}"
    return f"{cell.mean:.3f}{spread} ({count})"
