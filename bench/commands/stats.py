"""`cxrbench stats`: the tests of cxrbench beside R's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ...stats.crosscheck import Referee, Verified

COUNTS = ("cases", "agreements", "unanswered")

app = typer.Typer(help="Check the statistics against R.", no_args_is_help=True)


@app.command()
def verify(
    recorded: Annotated[
        bool | None,
        typer.Option(
            "--recorded/--live",
            help="Use R's recorded answers, or R itself.  (default: R where it is installed, else the record)",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Compare every test with R's pROC, coin and base R. Exit code 1 where one disagrees."""
    from ...foundation.errors import UserError
    from ...stats.crosscheck import RecordError
    from ...stats.crosscheck import verify as verify_against
    from .written import output_console

    console = output_console()
    try:
        referee = _referee(console, recorded)
        found = verify_against(referee)
    except RecordError as error:
        raise UserError(str(error)) from error
    console.print(f"[bold]R as the referee:[/] {referee}", highlight=False)
    _print(console, found)
    if any(each.disagreements for each in found):
        raise typer.Exit(1)


@app.command()
def record(
    out: Annotated[Path | None, typer.Option(help="JSON file to write.  (default: the one in the package)")] = None,
) -> None:
    """Ask R, and write its answers down for machines without R."""
    from ...foundation.errors import UserError
    from ...stats.crosscheck import RECORD, NoRError, write_record
    from .written import output_console

    path = out or RECORD
    try:
        referee = _ask(output_console())
        write_record(referee, path)
    except NoRError as error:
        raise _needs_r(error) from error
    except OSError as error:
        raise UserError(f"--out {path}: {error.strerror}") from error
    typer.echo(f"{path}: {sum(map(len, referee.answers.values()))} answers of {referee}")


def _referee(console: Console, recorded: bool | None) -> Referee:
    from ...stats.crosscheck import NoRError, read_record

    if recorded:
        return read_record()
    try:
        return _ask(console)
    except NoRError as error:
        if recorded is False:
            raise _needs_r(error) from error
        console.print(f"{error}: its recorded answers are used", style="dim", highlight=False, markup=False)
        return read_record()


def _ask(console: Console) -> Referee:
    from ...stats.crosscheck import ask_r

    with console.status("asking R"):
        return ask_r()


def _needs_r(error: Exception) -> Exception:
    from ...foundation.errors import UserError

    return UserError(f"{error}; install R with its packages pROC and coin, then pip install 'cxrbench[r]'")


def _print(console: Console, found: Sequence[Verified]) -> None:
    from rich.table import Table

    from ...stats.crosscheck import KINDS

    shown = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    shown.add_column("test", overflow="fold")
    shown.add_column("R", overflow="fold")
    for column in ("cases", "agree", "no answer", *KINDS):
        shown.add_column(column, justify="right", no_wrap=True)
    for each in found:
        shown.add_row(
            f"[red]{each.question.title}[/]" if each.disagreements else each.question.title,
            each.question.r_function,
            str(each.cases),
            str(each.agreements),
            str(each.unanswered),
            *(_difference(each.largest.get(kind)) for kind in KINDS),
        )
    console.print(shown)
    wrong = [(each, case, items) for each in found for case, items in each.disagreements.items()]
    for each, case, items in wrong:
        for item in items:
            line = f"{each.question.title}, {case}: {item.quantity} is {item.ours}; {item.by}: {item.expected}"
            console.print(line, style="red", highlight=False, markup=False, soft_wrap=True)
    cases, agree, unanswered = (sum(getattr(each, name) for each in found) for name in COUNTS)
    for line in (
        f"{cases} cases: {agree} agree, {unanswered} without an answer from R, {len(wrong)} disagree",
        "no answer: R stops or says NaN, and ours is what the documented convention for that case says",
        "area, statistic, p: largest differences from R, absolute for areas and relative for the others",
    ):
        console.print(line, style="dim", highlight=False)


def _difference(value: float | None) -> str:
    return "" if value is None else "0" if value == 0 else f"{value:.0e}"
