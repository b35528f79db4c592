"""`cxrbench check`: has an encoder become worse?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ...foundation.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ...results.record import Record
    from ...results.regression import Recording, Report
    from ...results.regression.cell import Cell

T = TypeVar("T")
# Below this a save says that the margin is a source of false alarms.
LEAST_PASSING = 0.95

app = typer.Typer(help="Save a baseline, and check for regressions against it.", no_args_is_help=True)

_Baseline = Annotated[Path, typer.Option(help="Baseline file, such as checks/chexpert.cxrbaseline.")]
_Store = Annotated[Path | None, typer.Option(help="Folder of records.  [default: cxrbench-results]")]
_Include = Annotated[list[Path] | None, typer.Option(help="Python file that registers encoders, datasets or tasks.")]


@app.command()
def save(
    baseline: _Baseline,
    store: _Store = None,
    encoder: Annotated[str | None, typer.Option(help="Only these encoders, comma-separated.")] = None,
    task: Annotated[str | None, typer.Option(help="Only these tasks, comma-separated.")] = None,
    margin: Annotated[
        float | None,
        typer.Option(min=0, help="Loss that is no news, in the metric's units.  [default: proposed a cell]"),
    ] = None,
    settings: Annotated[str | None, typer.Option(help="Only records with this settings hash.")] = None,
    include: _Include = None,
) -> None:
    """Record a baseline with its predictions, and say what a check against it would find."""
    from ...foundation.progress import progress_for_terminal
    from ...results.regression import record_baseline
    from ..config import parse_list
    from .stored import stored_records

    found, records = stored_records(store, include)
    for option, text in (("encoder", encoder), ("task", task), ("settings_hash", settings)):
        records = _only(records, option, parse_list(f"--{option.removesuffix('_hash')}", text))
    recording = record_baseline(found, records, margin, progress_for_terminal())
    recording.baseline.write(baseline)
    _show_recording(recording, baseline)


@app.command()
def run(
    baseline: _Baseline,
    store: Annotated[
        Path | None, typer.Option(help="Folder of records; not read with --rerun.  [default: cxrbench-results]")
    ] = None,
    rerun: Annotated[bool, typer.Option("--rerun", help="Run the baseline's trials afresh and check those.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML to this file.")] = None,
    summary: Annotated[Path | None, typer.Option(help="Write a Markdown summary to this file.")] = None,
    allow_inconclusive: Annotated[
        bool, typer.Option("--allow-inconclusive", help="Do not fail by what cannot be decided.")
    ] = False,
    encoder: Annotated[
        str | None, typer.Option(help="With --rerun: NAME=PATH where a name of the baseline is a checkpoint.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="With --rerun: as for `run`.")] = None,
    preset: Annotated[str | None, typer.Option(help="With --rerun: as for `run`.")] = None,
    assign: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="With --rerun: as for `run`.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="With --rerun: fine-tuning trials at a time.")] = None,
    cache: Annotated[
        Path | None, typer.Option(help="With --rerun: folder of decoded images and features.  [default: an empty one]")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="With --rerun: configuration file.")] = None,
    include: _Include = None,
) -> None:
    """Compare a store, or a fresh run, with a baseline: exit code 0 passed, 1 not, 2 nothing can be said."""
    from ...foundation.progress import progress_for_terminal
    from ...results.regression import Baseline, check, write_junit, write_markdown
    from ..config import parse_data, parse_list
    from ..rerun import rerun_trials
    from .stored import stored_records

    expected = Baseline.read(baseline)
    progress = progress_for_terminal()
    given = {"data": parse_data(data), "preset": preset, "jobs": jobs, "cache": cache, "include": include}
    if rerun:
        specs = parse_list("--encoder", encoder) or ()
        records = [each.record for each in expected.trials]
        with rerun_trials(records, specs, given, assign or (), config, progress) as fresh:
            report = check(expected, fresh, list(fresh.records()), allow_inconclusive, progress)
    else:
        _refuse_without_rerun(encoder=encoder, set=assign, config=config, **{**given, "include": None})
        found, records = stored_records(store, include)
        report = check(expected, found, records, allow_inconclusive, progress)
    if junit is not None:
        write_junit(report, junit)
    if summary is not None:
        write_markdown(report, summary)
    _show_report(report)
    if report.failed:
        raise typer.Exit(1)


def _only(records: list[Record], attribute: str, names: tuple[str, ...] | None) -> list[Record]:
    from ...foundation.errors import unknown_name

    if names is None:
        return records
    option = attribute.removesuffix("_hash")
    known = {getattr(record, attribute) for record in records}
    for name in names:
        if name not in known:
            raise UserError(f"--{option}: {unknown_name(option, name, known)}")
    return [record for record in records if getattr(record, attribute) in names]


def _refuse_without_rerun(**options: object) -> None:
    used = [name for name, value in options.items() if value not in (None, (), [])]
    if used:
        raise UserError(f"--{used[0]} says how to run trials: add --rerun, or leave it out to check a store")


def _show_recording(recording: Recording, path: Path) -> None:
    from ...results.regression.shown import SYNTHETIC, number
    from .written import output_console

    console = output_console()
    size = path.stat().st_size / 1e6
    console.print(f"[bold]{path}[/]: {len(recording.baseline.trials)} trials, {size:.2f} MB", highlight=False)
    if recording.baseline.synthetic:
        console.print(f"[dim]{SYNTHETIC}[/]")
    right = ("value", "patients", "replicates", "margin", "unchanged", "at margin", "at 2x", "80 % at")
    for title, cells in _by_title((each.cell, each.expectation.metric, each) for each in recording.cells):
        shown = _table(title, right, console)
        for each in cells:
            power = each.power
            chances = (power.passes, power.found_at_margin, power.found_at_twice)
            shown.add_row(
                each.cell.encoder,
                f"{each.cell.fraction:g}",
                number(each.value),
                str(each.patients),
                str(each.replicates),
                f"{power.margin:g}",
                *(f"{100 * chance:.0f} %" for chance in chances),
                f"{power.found_80:.2g}",
            )
        console.print(shown)
    for line in (
        "unchanged: chance that a repeat without a change passes, as far as the noise is known",
        "at margin, at 2x: chance that a loss as large as the margin, and twice as large, is called a regression",
        "80 % at: the smallest loss that is called a regression with a chance of 80 %",
        *recording.notes,
    ):
        console.print(f"  {line}", style="dim", highlight=False, markup=False)
    risky = sum(each.power.passes < LEAST_PASSING for each in recording.cells)
    if risky:
        console.print(
            f"  warning: with this margin {risky} of {len(recording.cells)} cells may fail without a change; leave out "
            "--margin, or add test patients or replicates",
            style="yellow",
            highlight=False,
        )


def _show_report(report: Report) -> None:
    from ...results.regression.shown import SYNTHETIC, difference, explanation, metric, number
    from ...results.regression.verdict import Outcome
    from .written import output_console

    console = output_console()
    if report.synthetic:
        console.print(f"[dim]{SYNTHETIC}[/]")
    right = ("baseline", "now", "difference", "margin")
    for title, verdicts in _by_title((each.cell, metric(each), each) for each in report.verdicts):
        shown = _table(title, right, console, "verdict")
        for each in verdicts:
            shown.add_row(
                each.cell.encoder,
                f"{each.cell.fraction:g}",
                number(each.baseline),
                number(each.now),
                difference(each.interval),
                f"{each.expectation.margin:g}",
                each.outcome.value,
                style="red" if each.fails(report.allow_inconclusive) else "",
            )
        console.print(shown)
    for each in report.verdicts:
        if each.outcome is not Outcome.PASSED or each.words != each.outcome.value:
            console.print(f"  {each.cell}: {each.words}", highlight=False, markup=False)
    for line in (explanation(report), *report.notes):
        console.print(f"  {line}", style="dim", highlight=False, markup=False)
    answer = "failed" if report.failed else "passed"
    console.print(f"check {answer}: {report.in_words()}", style="bold", highlight=False)


def _by_title(cells: Iterable[tuple[Cell, str, T]]) -> Iterator[tuple[str, list[T]]]:
    """Cells under the name of what they share: task, variant, protocol, metric."""
    groups: dict[str, list[T]] = {}
    for cell, metric, each in cells:
        variant = "" if cell.variant == "default" else f", {cell.variant}"
        groups.setdefault(f"[bold]{cell.task}{variant}, {cell.protocol}[/]: {metric}", []).append(each)
    yield from groups.items()


def _table(title: str, right: Sequence[str], console: Console, last: str | None = None) -> Table:
    from rich.table import Table

    console.print(title, highlight=False)
    shown = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    shown.add_column("encoder", overflow="fold")
    shown.add_column("%", justify="right", no_wrap=True)
    for column in right:
        shown.add_column(column, justify="right", no_wrap=True)
    if last is not None:
        shown.add_column(last, no_wrap=True)
    return shown
