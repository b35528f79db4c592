"""`cxrbench data card`: what a dataset is and may be used for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import IncludeOption

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ....data.card import DatasetCard


def card(
    name: Annotated[str, typer.Argument(help="A dataset: a name of `ls datasets`.")],
    croissant: Annotated[
        Path | None, typer.Option(help="Write the card as Croissant JSON-LD (a .json file) instead of printing it.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the dataset: the Croissant file then lists its images and boxes too.")
    ] = None,
    include: IncludeOption = None,
) -> None:
    """Print what a dataset is, what its licence forbids, its counts and traps."""
    from ....data import datasets, load
    from ....data.croissant import write_croissant
    from ....data.reading import Reading
    from ....foundation.errors import UserError
    from ....foundation.progress import progress_for_terminal
    from ....foundation.registry import include as include_file
    from ..written import output_console, refuse_unwritable

    for file in include or []:
        include_file(file)
    found = datasets.get(name).card
    if croissant is None:
        if data is not None:
            raise UserError("--data: only a Croissant file lists images; name it with --croissant FILE")
        _print(output_console(), name, found)
        return
    refuse_unwritable("--croissant", croissant)
    radiographs = None if data is None else load(name, data, reading=Reading(progress=progress_for_terminal()))
    for path in write_croissant(croissant, name, found, radiographs):
        typer.echo(f"wrote {path}", err=True)


def _print(console: Console, name: str, card: DatasetCard) -> None:
    from rich.table import Table
    from rich.text import Text

    from ....data.card_page import count_table, facts

    # Texts, not strings: nothing in a card is markup.
    console.print(Text.assemble((name, "bold"), f"  {card.title}"))
    if card.description:
        console.print(Text(card.description))
    console.print()
    about = Table.grid(padding=(0, 2, 0, 0))
    about.add_column(no_wrap=True, style="dim")
    about.add_column(overflow="fold")
    for what, words in facts(card):
        about.add_row(Text(what), Text(words))
    console.print(about)
    for title, sentences in (("asked or forbidden", card.forbids), ("traps", card.traps)):
        if sentences:
            console.print()
            console.print(Text(title, style="bold"))
            console.print(_listed(sentences))
    if card.counts:
        header, rows = count_table(card)
        grid = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
        for number, part in enumerate(header):
            grid.add_column(Text(part or "full copy"), justify="right" if number else "left", overflow="fold")
        for row in rows:
            grid.add_row(*map(Text, row))
        console.print()
        console.print(grid)


def _listed(sentences: tuple[str, ...]) -> Table:
    """Sentences with a dash before each, wrapped beside it."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1, 0, 0))
    for sentence in sentences:
        grid.add_row(Text("-"), Text(sentence))
    return grid
