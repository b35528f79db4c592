"""`cxrbench table`: the papers' tables, or means and SDs of all there is."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...foundation.errors import RefusedError, UserError, unknown_name
from .choice import choice_option
from .options import HOW_TO_WRITE, IncludeOption, OutOption, ProtocolOption, SettingsOption, StoreOption

if TYPE_CHECKING:
    from ...results.grid import Grid
    from ...results.papers import Layout
    from ...results.papers.build import Choice
    from ...results.papers.marks import Compare
    from ...results.record import Record
    from ...results.store import Store
    from ...results.table import Table


class Form(StrEnum):
    """How a table is written."""

    text = "text"
    markdown = "markdown"
    csv = "csv"
    latex = "latex"


def table(
    name: Annotated[
        str | None,
        typer.Argument(help="A paper's table (`cxrbench ls tables`); without it means and SDs of all records."),
    ] = None,
    store: StoreOption = None,
    form: Annotated[Form | None, choice_option(Form, "--format", HOW_TO_WRITE)] = None,
    out: OutOption = None,
    published: Annotated[bool, typer.Option("--published", help="Put the paper's numbers beside ours.")] = False,
    row: Annotated[
        list[str] | None,
        typer.Option(help='A row of the paper and the encoder of yours that stands there: --row "CheSS=my_encoder".'),
    ] = None,
    protocol: ProtocolOption = None,
    task: Annotated[str | None, typer.Option(help="Only this task (without NAME).")] = None,
    metric: Annotated[str | None, typer.Option(help="Metric instead of the task's main one (without NAME).")] = None,
    settings: SettingsOption = None,
    include: IncludeOption = None,
) -> None:
    """Show a paper's table with our numbers, or encoders against fractions: mean and SD over replicates."""
    from ..config import parse_list
    from .written import form_of, refuse_unwritable

    form = form_of(form, out, Form)
    refuse_unwritable("--out", out)
    shown = None if protocol is None else protocol.value
    hashes = parse_list("--settings", settings) or ()
    if name is None:
        _refuse({"--published": published, "--row": bool(row)}, "needs a table's NAME; `cxrbench ls tables` lists them")
        _write([_grid(each) for each in _means(store, include, task, metric, hashes, shown)], form, out)
        return
    _refuse({"--task": task is not None, "--metric": metric is not None}, f"{name} has its own; leave it out")
    from ...results.papers import layout_of
    from ...results.papers.notes import Choice

    asked = Choice(
        published=published,
        encoders=_mapping(row or ()),
        protocol=shown,
        settings=hashes,
        # A reader of CSV wants all there is.
        spread=form is Form.csv,
    )
    _write([_paper(layout_of(name), asked, store, include)], form, out)


def _refuse(given: dict[str, bool], why: str) -> None:
    for option, is_given in given.items():
        if is_given:
            raise UserError(f"{option}: {why}")


def _means(
    store: Path | None,
    include: Sequence[Path] | None,
    task: str | None,
    metric: str | None,
    settings: Sequence[str],
    protocol: str | None,
) -> list[Table]:
    from ...results.table import tables
    from ...tasks.registry import tasks
    from .stored import stored_records

    _, records = stored_records(store, include, task)
    if protocol is not None:
        known = {record.protocol for record in records}
        records = [record for record in records if record.protocol == protocol]
        if not records:
            raise UserError(f"--protocol: {unknown_name('protocol', protocol, known)}")
    names = {record.task for record in records}
    return tables(records, {name: metric or tasks.get(name).meta.main_metric for name in names}, settings)


def _grid(shown: Table) -> Grid:
    from ...results.table_grid import table_grid

    return table_grid(shown)


def _paper(layout: Layout, asked: Choice, store: Path | None, include: Sequence[Path] | None) -> Grid:
    from ...foundation.progress import progress_for_terminal
    from ...foundation.registry import include as include_file
    from ...results.papers import paper_table
    from ...tasks.registry import tasks
    from ..config import run_config
    from .stored import stored_records

    config = run_config({"store": store, "include": include}, needs_grid=False)
    for file in config.include:
        include_file(file)
    runnable = set(layout.tasks()) & set(tasks.names())
    if not runnable and not asked.published:
        raise RefusedError(
            f"{layout.name}: nothing of yours to show: not in this version of cxrbench: {', '.join(layout.tasks())}; "
            "--published shows what the paper prints, --include FILE registers a task of your own"
        )
    compare: Compare | None = None
    records: list[Record] = []
    # Without a store the paper's numbers can be shown.
    if store is not None or config.store.is_dir() or not asked.published:
        found, records = stored_records(store, include)
        compare = _compare(found, records)
    return paper_table(layout, records, tasks.names(), compare, asked, progress_for_terminal())


def _compare(store: Store, records: list[Record]) -> Compare:
    from ...results.comparison import EncoderComparison, compare_encoders
    from ...tasks.registry import tasks

    def compare(
        shown: Sequence[Record], task: str, a: str, b: str, metrics: Sequence[str]
    ) -> Sequence[EncoderComparison]:
        return compare_encoders(store, shown, tasks.get(task), a, b, metrics, interval=False)

    return compare


def _mapping(rows: Sequence[str]) -> dict[str, str]:
    """`CheSS=my_encoder` -> {"CheSS": "my_encoder"}."""
    mapping: dict[str, str] = {}
    for text in rows:
        label, equals, encoder = (part.strip() for part in text.partition("="))
        if not equals or not label or not encoder:
            raise UserError(f'--row {text!r}: write it as ROW=ENCODER, for example --row "CheSS=my_encoder"')
        if label in mapping:
            raise UserError(f"--row: {label!r} is given twice")
        mapping[label] = encoder
    return mapping


def _write(grids: Sequence[Grid], form: Form, out: Path | None) -> None:
    from ...results.rendering import render, show_all
    from .written import write

    if form is Form.text:
        write(lambda console: show_all(grids, console), out)
    else:
        write(render(grids, form), out)
