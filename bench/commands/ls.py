"""`cxrbench ls`: what there is to choose from."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table


class Kind(StrEnum):
    """What can be listed."""

    tasks = "tasks"
    encoders = "encoders"
    datasets = "datasets"
    records = "records"


def ls(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    store: Annotated[Path, typer.Option(help="Folder of records, for `ls records`.")] = Path("cxrbench-results"),
    include: Annotated[list[Path] | None, typer.Option(help="Python file that registers more.")] = None,
) -> None:
    """List tasks, encoders, datasets, or the records of a store."""
    from rich.console import Console

    from ...foundation.registry import include as include_file

    if kind is Kind.records:
        shown = _records(store)
    else:
        for file in include or []:
            include_file(file)
        shown = {Kind.tasks: _tasks, Kind.encoders: _encoders, Kind.datasets: _datasets}[kind]()
    Console().print(shown)


def _grid(*columns: str) -> Table:
    from rich.table import Table

    grid = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        grid.add_column(column, no_wrap=column == columns[0])
    return grid


def _tasks() -> Table:
    from ...tasks.registry import titles

    grid = _grid("task", "what it is", "dataset", "fraction x replicates")
    for name, (title, dataset, plan) in titles().items():
        grid.add_row(name, title, dataset, plan)
    return grid


def _encoders() -> Table:
    from ...pretrain.zoo_entries import descriptions

    grid = _grid("encoder", "what it is", "licence", "weights")
    for each in descriptions():
        grid.add_row(each.name, each.title, each.licence, each.availability)
    grid.add_row("timm:NAME", "any backbone of timm, random weights", "Apache-2.0", "drawn when loaded", style="dim")
    grid.add_row("NAME=PATH", "a checkpoint of yours", "", "from the file", style="dim")
    return grid


def _datasets() -> Table:
    from ...data import datasets

    grid = _grid("dataset", "what it is", "labels", "licence")
    for name in datasets.names():
        source = datasets.get(name)
        grid.add_row(name, source.title, str(len(source.labels)), source.licence)
    return grid


def _records(store: Path) -> Table:
    from collections import Counter

    from .stored import stored_records

    records = stored_records(store, [])
    counts = Counter(
        (each.task, each.variant, each.encoder, each.protocol, each.fraction, each.settings_hash, each.synthetic)
        for each in records
    )
    grid = _grid("task", "variant", "encoder", "protocol", "fraction", "replicates", "settings", "data")
    for key, count in sorted(counts.items()):
        task, variant, encoder, protocol, fraction, settings, synthetic = key
        data = "synthetic phantom" if synthetic else "real"
        grid.add_row(task, variant, encoder, protocol, f"{fraction:g} %", str(count), settings, data)
    grid.caption = f"{len(records)} records in {store}"
    grid.caption_justify = "left"
    return grid
