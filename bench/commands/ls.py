"""`cxrbench ls`: what there is to choose from."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .choice import choice, values

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


class Kind(StrEnum):
    """What can be listed."""

    tasks = "tasks"
    encoders = "encoders"
    methods = "methods"
    datasets = "datasets"
    tables = "tables"
    records = "records"


def ls(
    kind: Annotated[
        Kind, typer.Argument(parser=choice(Kind, "kind"), metavar="kind", help=f"What to list: {values(Kind)}.")
    ],
    store: Annotated[Path | None, typer.Option(help="Folder of records, for `ls records`.")] = None,
    include: Annotated[list[Path] | None, typer.Option(help="Python file that registers more.")] = None,
) -> None:
    """List tasks, encoders, pretraining methods, datasets, the papers' tables, or the records of a store."""
    from ...foundation.registry import include as include_file
    from .written import output_console

    for file in include or []:
        include_file(file)
    console = output_console()
    if kind is Kind.records:
        console.print(_records(store))
    else:
        {
            Kind.tasks: _print_tasks,
            Kind.encoders: _print_encoders,
            Kind.methods: _print_methods,
            Kind.datasets: _print_datasets,
            Kind.tables: _print_tables,
        }[kind](console)


def _print_entry(console: Console, name: str, title: str, *details: str) -> None:
    """A name with what it is, and details below: readable at any width."""
    from rich.text import Text

    # Texts, not strings: nothing in a name is markup.
    console.print(Text.assemble((name, "bold"), f"  {title}"))
    for detail in details:
        console.print(Text(f"    {detail}", style="dim"), soft_wrap=True)


def _print_tasks(console: Console) -> None:
    from ...tasks.registry import descriptions

    for about in descriptions():
        details = [f"data {about.dataset}, {about.protocols}; {about.plan}"]
        details += [f"variants {about.variants}"] if about.variants != "default" else []
        details += [f"presets {about.presets}"] if about.presets else []
        _print_entry(console, about.name, about.title, *details)


def _print_encoders(console: Console) -> None:
    from ...pretrain.source import list_encoders

    for each in list_encoders():
        _print_entry(console, each.name, each.title, each.licence, *filter(None, [each.missing]))
    _print_entry(console, "timm:NAME", "any backbone of timm, with random weights")
    _print_entry(console, "hf:ORG/NAME", "a model in your cache of Hugging Face")
    _print_entry(console, "NAME=PATH", "a checkpoint of yours, or a folder that `cxrbench pretrain` wrote")


def _print_methods(console: Console) -> None:
    from ...pretrain.method_card import methods

    for name in methods.names():
        card = methods.get(name).card
        details = [card.source, *(["can add the IFA loss: --ifa 3"] if card.ifa else [])]
        _print_entry(console, name, card.title, *details)


def _print_datasets(console: Console) -> None:
    from ...data import datasets

    for name in datasets.names():
        source = datasets.get(name)
        labels = f"{len(source.labels)} {'classes' if source.exclusive else 'labels'}: {', '.join(source.labels)}"
        labels = labels if source.labels else "labels: the categories of your files"
        _print_entry(console, name, source.card.title, labels, source.card.licence)


def _print_tables(console: Console) -> None:
    from ...results.papers import layout_names, layout_of
    from ...results.papers.printed import printed_extent
    from ...tasks.registry import tasks

    known = set(tasks.names())
    for name in layout_names():
        layout = layout_of(name)
        absent = [task for task in layout.tasks() if task not in known]
        asked = [f"tasks {', '.join(layout.tasks())}", *([f"not yet: {', '.join(absent)}"] if absent else [])]
        published = f"published: {printed_extent(layout)}"
        _print_entry(console, name, layout.title, layout.source, "; ".join([*asked, published]))


def _records(store: Path | None) -> Table:
    from collections import Counter

    from rich.table import Table
    from rich.text import Text

    from .stored import stored_records

    found, records = stored_records(store, None)
    counts = Counter(
        (each.task, each.variant, each.encoder, each.protocol, each.fraction, each.settings_hash, each.synthetic)
        for each in records
    )
    grid = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    grid.add_column("task", overflow="fold")
    grid.add_column("encoder", overflow="fold")
    for column in ("protocol", "%", "n", "settings", "data"):
        grid.add_column(column, no_wrap=True, justify="right" if column in "%n" else "left")
    for key, count in sorted(counts.items()):
        task, variant, encoder, protocol, fraction, settings, synthetic = key
        named = task if variant == "default" else f"{task}, {variant}"
        data = "synthetic" if synthetic else "real"
        grid.add_row(*map(Text, (named, encoder, protocol, f"{fraction:g}", str(count), settings, data)))
    grid.caption = Text(f"{len(records)} records in {found.path}; n: replicates", style="table.caption")
    grid.caption_justify = "left"
    return grid
