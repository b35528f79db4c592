"""`cxrbench compare`: two encoders, paired."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compare(
    a: Annotated[str, typer.Argument(help="One encoder.")],
    b: Annotated[str, typer.Argument(help="The other.")],
    task: Annotated[str, typer.Option(help="Task to compare them on.")],
    store: Annotated[Path | None, typer.Option(help="Folder of records.  [default: cxrbench-results]")] = None,
    metric: Annotated[str | None, typer.Option(help="Metric instead of the task's main one.")] = None,
    settings: Annotated[str | None, typer.Option(help="Only records with this settings hash.")] = None,
    include: Annotated[list[Path] | None, typer.Option(help="Python file that registers tasks.")] = None,
) -> None:
    """Show the paired differences between two encoders on the same draws and test images."""
    from rich.console import Console
    from rich.table import Table

    from ...results.pairs import paired_differences
    from ...tasks.registry import tasks
    from .stored import stored_records

    found, records = stored_records(store, include, task)
    rows = paired_differences(found, records, tasks.get(task), a, b, metric, settings)
    console = Console()
    console.print(f"[bold]{task}[/]: {rows[0].metric}, A = {a}, B = {b}", highlight=False)
    if any(row.synthetic for row in rows):
        console.print("[dim]SYNTHETIC phantom data[/]")
    shown = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    shown.add_column("trials", overflow="fold")
    for column in ("%", "pairs", "A", "B", "A - B ± SD", "wins A:B", "alone A:B"):
        shown.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        sd = "" if row.sd is None else f" ± {row.sd:.3f}"
        difference = "undefined" if row.difference is None else f"{row.difference:+.4f}{sd}"
        shown.add_row(
            row.protocol if row.variant == "default" else f"{row.variant}, {row.protocol}",
            f"{row.fraction:g}",
            str(row.replicates),
            _number(row.mean_a),
            _number(row.mean_b),
            difference,
            f"{row.a_better}:{row.b_better}",
            f"{row.only_a_right}:{row.only_b_right}",
        )
    console.print(shown)
    for line in (
        f"test set: {rows[0].n} images of {rows[0].patients} patients; differences are shown, not tested",
        "pairs: replicates that both ran; wins: pairs in which one is better; alone: decisions only one got right",
    ):
        console.print(f"  {line}", style="dim", highlight=False)


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
