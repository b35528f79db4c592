"""`cxrbench ls`: what there is to choose from."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


class Kind(StrEnum):
    """What can be listed."""

    tasks = "tasks"
    encoders = "encoders"
    datasets = "datasets"
    records = "records"


def ls(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    store: Annotated[Path | None, typer.Option(help="Folder of records, for `ls records`.")] = None,
    include: Annotated[list[Path] | None, typer.Option(help="Python file that registers more.")] = None,
) -> None:
    """List tasks, encoders, datasets, or the records of a store."""
    from rich.console import Console

    from ...foundation.registry import include as include_file

    for file in include or []:
        include_file(file)
    console = Console()
    if kind is Kind.records:
        console.print(_records(store))
    elif kind is Kind.encoders:
        _print_encoders(console)
    else:
        console.print(_tasks() if kind is Kind.tasks else _datasets())


def _grid(*columns: str) -> Table:
    from rich.table import Table

    grid = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        grid.add_column(column, no_wrap=column in (columns[0], columns[-1]))
    return grid


def _tasks() -> Table:
    from ...tasks.registry import titles

    grid = _grid("task", "what it is", "dataset", "fraction x replicates")
    for name, (title, dataset, plan) in titles().items():
        grid.add_row(name, title, dataset, plan)
    return grid


def _print_encoders(console: Console) -> None:
    from ...pretrain.source import list_encoders

    found = list_encoders()
    grid = _grid("encoder", "what it is", "licence", "weights")
    for each in found:
        grid.add_row(each.name, each.title, each.licence, "[yellow]not here[/]" if each.missing else "here")
    grid.add_row("timm:NAME", "any backbone of timm, random weights", "Apache-2.0", "here")
    grid.add_row("NAME=PATH", "a checkpoint of yours", "yours", "the file")
    console.print(grid)
    for each in found:
        if each.missing:
            console.print(f"\n{each.name}: {each.missing}", style="dim", highlight=False, markup=False, soft_wrap=True)


def _datasets() -> Table:
    from ...data import datasets

    grid = _grid("dataset", "what it is", "labels", "licence")
    for name in datasets.names():
        source = datasets.get(name)
        grid.add_row(name, source.title, str(len(source.labels)), source.licence)
    return grid


def _records(store: Path | None) -> Table:
    from collections import Counter

    from .stored import stored_records

    found, records = stored_records(store, None)
    counts = Counter(
        (each.task, each.variant, each.encoder, each.protocol, each.fraction, each.settings_hash, each.synthetic)
        for each in records
    )
    grid = _grid("task", "variant", "encoder", "protocol", "fraction", "replicates", "settings", "data")
    for key, count in sorted(counts.items()):
        task, variant, encoder, protocol, fraction, settings, synthetic = key
        data = "synthetic phantom" if synthetic else "real"
        grid.add_row(task, variant, encoder, protocol, f"{fraction:g} %", str(count), settings, data)
    grid.caption = f"{len(records)} records in {found.path}"
    grid.caption_justify = "left"
    return grid
