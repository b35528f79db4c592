"""`cxrbench check`: has an encoder become worse?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ...foundation.errors import UserError
from .options import IncludeOption, SettingsOption, StoreOption

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ...results.record import Record
    from ...results.regression import Recording, Report
    from ...results.regression.cell import CheckedCell

T = TypeVar("T")
# Below this a save says that the margin is a source of false alarms.
LEAST_PASSING = 0.95
# Cells that a warning names.
MOST_NAMED = 5

app = typer.Typer(help="Save a baseline, and check for regressions against it.", no_args_is_help=True)

_Baseline = Annotated[Path, typer.Option(help="Baseline file, such as checks/chexpert.cxrbaseline.")]


@app.command()
def save(
    baseline: _Baseline,
    store: StoreOption = None,
    encoder: Annotated[str | None, typer.Option(help="Only these encoders, comma-separated.")] = None,
    task: Annotated[str | None, typer.Option(help="Only these tasks, comma-separated.")] = None,
    margin: Annotated[
        float | None,
        typer.Option(help="Loss that is no news, in the metric's units, 0 or more.  (default: proposed a cell)"),
    ] = None,
    settings: SettingsOption = None,
    include: IncludeOption = None,
) -> None:
    """Record a baseline with its predictions, and say what a check against it would find."""
    from ...foundation.progress import progress_for_terminal
    from ...results.regression import record_baseline
    from ...results.regression.baseline import trials_in
    from ...results.settings_choice import of_settings
    from ..config import parse_list
    from .stored import stored_records
    from .written import refuse_unwritable

    if margin is not None and not (isfinite(margin) and margin >= 0):
        raise UserError(f"--margin {margin:g}: must be a number, 0 or more")
    refuse_unwritable("--baseline", baseline)
    found, records = stored_records(store, include)
    for option, text in (("encoder", encoder), ("task", task)):
        records = _only(records, option, parse_list(f"--{option}", text))
    records = of_settings(records, parse_list("--settings", settings) or ())
    recording = record_baseline(found, records, margin, progress_for_terminal())
    replaces = _replaced(trials_in(baseline)) if baseline.exists() else None
    recording.baseline.write(baseline)
    _show_recording(recording, baseline, replaces)


@app.command()
def run(
    baseline: _Baseline,
    store: Annotated[
        Path | None, typer.Option(help="Folder of records; not read with --rerun.  (default: cxrbench-results)")
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
        Path | None, typer.Option(help="With --rerun: folder of decoded images and features.  (default: an empty one)")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="With --rerun: configuration file.")] = None,
    include: IncludeOption = None,
) -> None:
    """Compare a store, or a fresh run, with a baseline: exit code 0 passed, 1 not, 2 nothing can be said."""
    from ...foundation.progress import progress_for_terminal
    from ...results.regression import Baseline, check, write_junit, write_markdown
    from ..config import parse_data, parse_list
    from ..rerun import rerun_trials
    from .stored import stored_records
    from .written import refuse_unwritable

    refuse_unwritable("--junit", junit)
    refuse_unwritable("--summary", summary)
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
    _show_report(report)
    if junit is not None:
        write_junit(report, junit)
    if summary is not None:
        write_markdown(report, summary)
    if report.failed:
        raise typer.Exit(1)


def _only(records: list[Record], option: str, names: tuple[str, ...] | None) -> list[Record]:
    from ...foundation.errors import unknown_name

    if names is None:
        return records
    known = {getattr(record, option) for record in records}
    for name in names:
        if name not in known:
            raise UserError(f"--{option}: {unknown_name(option, name, known)}")
    return [record for record in records if getattr(record, option) in names]


def _refuse_without_rerun(**options: object) -> None:
    used = [name for name, value in options.items() if value not in (None, (), [])]
    if used:
        raise UserError(f"--{used[0]} says how to run trials: add --rerun, or leave it out to check a store")


def _replaced(trials: int | None) -> str:
    if trials is None:
        return "replaces a file that cannot be read as a baseline"
    return f"replaces a baseline of {trials} trial{'' if trials == 1 else 's'}"


def _show_recording(recording: Recording, path: Path, replaces: str | None) -> None:
    from rich.text import Text

    from ...results.regression.shown import SYNTHETIC, number
    from .written import output_console

    console = output_console()
    size = path.stat().st_size / 1e6
    # Texts, not strings: nothing in a path or a name is markup.
    console.print(Text.assemble((str(path), "bold"), f": {len(recording.baseline.trials)} trials, {size:.2f} MB"))
    if replaces is not None:
        console.print(replaces, style="yellow", highlight=False)
    if recording.baseline.synthetic:
        console.print(f"[dim]{SYNTHETIC}[/]")
    right = ("value", "patients", "replicates", "margin", "unchanged", "at margin", "at 2x", "80 % at")
    for title, cells in _by_title((each.cell, each.expectation.metric, each) for each in recording.cells):
        shown = _table(title, right, console)
        for each in cells:
            power = each.power
            chances = (power.passes, power.found_at_margin, power.found_at_twice)
            shown.add_row(
                Text(each.cell.encoder),
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
        console.print(Text(f"  {line}", style="dim"))
    _warn(recording, console)


def _warn(recording: Recording, console: Console) -> None:
    """Say where a margin raises false alarms, and where it lets everything pass."""
    from rich.text import Text

    from ...results.regression.shown import number

    cells, words = recording.cells, []
    risky = sum(each.power.passes < LEAST_PASSING for each in cells)
    if risky:
        words.append(
            f"warning: with this margin {risky} of {len(cells)} cells may fail without a change; leave out --margin, "
            "or add test patients or replicates"
        )
    blind = [each for each in cells if each.reaches_chance]
    if blind:
        words.append(
            f"warning: in {len(blind)} of {len(cells)} cells the margin is as large as all there is to lose (value - "
            "margin is at or below chance), so they say little; add test patients or replicates, save fewer cells, or "
            "take other tasks"
        )
        words += [
            f"  {each.cell}: {number(each.value)} - {each.power.margin:g}, chance {number(each.chance)}"
            for each in blind[:MOST_NAMED]
        ]
        words += [f"  and {len(blind) - MOST_NAMED} more"] if len(blind) > MOST_NAMED else []
    for line in words:
        console.print(Text(f"  {line}", style="yellow"))


def _show_report(report: Report) -> None:
    from rich.text import Text

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
                Text(each.cell.encoder),
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
            console.print(Text(f"  {each.cell}: {each.words}"))
    for line in (explanation(report), *report.notes):
        console.print(Text(f"  {line}", style="dim"))
    answer = "failed" if report.failed else "passed"
    console.print(f"check {answer}: {report.in_words()}", style="bold", highlight=False)


def _by_title(cells: Iterable[tuple[CheckedCell, str, T]]) -> Iterator[tuple[Text, list[T]]]:
    """Cells under the name of what they share: task, variant, protocol, metric."""
    from rich.text import Text

    groups: dict[tuple[str, str], list[T]] = {}
    for cell, metric, each in cells:
        variant = "" if cell.variant == "default" else f", {cell.variant}"
        groups.setdefault((f"{cell.task}{variant}, {cell.protocol}", metric), []).append(each)
    for (shared, metric), found in groups.items():
        yield Text.assemble((shared, "bold"), f": {metric}"), found


def _table(title: Text, right: Sequence[str], console: Console, last: str | None = None) -> Table:
    from rich.table import Table

    console.print(title)
    shown = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    shown.add_column("encoder", overflow="fold")
    shown.add_column("%", justify="right", no_wrap=True)
    for column in right:
        shown.add_column(column, justify="right", no_wrap=True)
    if last is not None:
        shown.add_column(last, no_wrap=True)
    return shown
