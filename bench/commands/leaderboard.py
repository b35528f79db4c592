"""`cxrbench leaderboard`: all encoders on all tasks, ranked where that is fair."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from .choice import choice_option
from .options import HOW_TO_WRITE, SETTINGS, IncludeOption, OutOption, ProtocolOption, StoreOption

if TYPE_CHECKING:
    from ...results.record import Record


# What a page of a paper has room for.
LATEX_COLUMNS = 6


class Form(StrEnum):
    """What a leaderboard is written as."""

    text = "text"
    csv = "csv"
    latex = "latex"
    markdown = "markdown"
    html = "html"


def leaderboard(
    store: StoreOption = None,
    form: Annotated[Form | None, choice_option(Form, "--format", HOW_TO_WRITE)] = None,
    out: OutOption = None,
    task: Annotated[str | None, typer.Option(help="Only these tasks, comma-separated.")] = None,
    protocol: ProtocolOption = None,
    settings: Annotated[list[str] | None, SETTINGS] = None,
    include: IncludeOption = None,
) -> None:
    """Rank encoders over tasks: a board a protocol, real data and phantoms apart.

    An encoder that lacks a result has no rank. From five tasks on, Friedman and Nemenyi over tasks say which ranks
    the data can tell apart.
    """
    from ...results.leaderboard import board_grids, boards, boards_csv, page, rank
    from ...results.rendering import render, show_all
    from ..config import parse_list
    from .stored import each_stored_record
    from .written import form_of, refuse_unwritable, write

    form = form_of(form, out, Form)
    refuse_unwritable("--out", out)
    _, records = each_stored_record(store, include)
    chosen = _chosen(records, parse_list("--task", task), protocol and protocol.value)
    hashes = [each for text in settings or () for each in parse_list("--settings", text) or ()]
    ranked = [(board, rank(board)) for board in boards(chosen, hashes)]
    if form is Form.html:
        write(page(ranked), out)
    elif form is Form.csv:
        write(boards_csv(ranked), out)
    else:
        most = LATEX_COLUMNS if form is Form.latex else None
        grids = [grid for board, ranking in ranked for grid in board_grids(board, ranking, most)]
        write((lambda console: show_all(grids, console)) if form is Form.text else render(grids, form), out)


def _chosen(records: Iterable[Record], tasks: tuple[str, ...] | None, protocol: str | None) -> Iterator[Record]:
    """Records of these tasks and this protocol. Raises UserError, at the end, for a name that no record has."""
    from ...foundation.errors import UserError, unknown_name

    seen: dict[str, set[str]] = {"task": set(), "protocol": set()}
    for record in records:
        seen["task"].add(record.task)
        seen["protocol"].add(record.protocol)
        if (tasks is None or record.task in tasks) and protocol in (None, record.protocol):
            yield record
    for option, names in (("task", tasks or ()), ("protocol", (protocol,) if protocol else ())):
        for name in names:
            if name not in seen[option]:
                raise UserError(f"--{option}: {unknown_name(f'{option} in this store', name, seen[option])}")
