"""A validation report on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ....data.problems import SHOWN

if TYPE_CHECKING:
    from rich.console import Console

    from ....data.validation import Report

_COLOURS = {
    "complete": "green",
    "partial": "yellow",
    "more than a full copy": "red",
    "not compared": "cyan",
    "cannot be read": "red",
}


def print_report(report: Report, console: Console, json: Path | None = None) -> None:
    """Print what was found, at most 20 problems a kind; `json` is the file that has them all."""
    with console.capture() as page:
        _print_page(report, console, json)
    # The tables fill their last column with spaces.
    console.file.write("".join(f"{line.rstrip()}\n" for line in page.get().splitlines()))


def _print_page(report: Report, console: Console, json: Path | None) -> None:
    console.print(_facts(report))
    if report.counts:
        console.print()
        console.print(_counts(report))
    for kind, problems in report.by_kind().items():
        _print_some(console, kind, "bold red", problems, json)
    # Where not one is there, a problem says so.
    if report.missing and report.found:
        _print_some(console, "not on disk", "bold yellow", report.missing, json)
    if report.notes:
        console.print()
        console.print(Text("notes", style="bold"))
        for note in report.notes:
            console.print(Text(f"  {note}"), soft_wrap=True)
    console.print()
    console.print(_verdict(report))


def _print_some(console: Console, title: str, style: str, each: Sequence[object], json: Path | None) -> None:
    console.print()
    console.print(Text.assemble((title, style), f"  {len(each):,}"))
    # Texts, not strings: nothing in a file's name is markup.
    for one in each[:SHOWN]:
        console.print(Text(f"  {one}"), soft_wrap=True)
    if more := max(0, len(each) - SHOWN):
        verb = "is" if more == 1 else "are"
        rest = f"{verb} in the JSON file" if json else f"{verb} written with --json FILE"
        console.print(Text(f"  ... and {more:,} more, which {rest}", style="dim"))


def _facts(report: Report) -> Table:
    about = Table.grid(padding=(0, 2, 0, 0))
    about.add_column(no_wrap=True, style="dim")
    about.add_column(overflow="fold")
    about.add_row("dataset", Text(report.dataset, style="bold"))
    about.add_row("folder", Text(str(report.folder)))
    if report.layout:
        about.add_row("layout", Text(report.layout))
    if report.synthetic:
        about.add_row("data", Text("SYNTHETIC phantom, not compared with the real counts", style="magenta"))
    if not (report.synthetic and report.state == "not compared"):
        about.add_row("state", Text(_state(report), style=_COLOURS[report.state]))
    if report.tried:
        about.add_row("files", Text(_decoded(report)))
    return about


def _decoded(report: Report) -> str:
    """How many images decode, and of how many tried where that is not all."""
    few = f" tried (of {report.found:,})" if report.tried < report.found else ""
    if report.tried == 1:
        return f"the 1 image{few} decodes" if report.decoded else f"the 1 image{few} does not decode"
    share = f"all {report.tried:,}" if report.decoded == report.tried else f"{report.decoded:,} of {report.tried:,}"
    return f"{share} images{few} decode"


def _state(report: Report) -> str:
    known = [line for line in report.counts if line.known is not None and line.name.endswith("/images")]
    whole = next((line.known for line in known if line.name == "all/images"), None) or sum(
        line.known or 0 for line in known
    )
    if report.missing:
        return f"{report.state}: {report.found:,} of {report.listed:,} listed images are on disk"
    if report.state == "partial" and whole:
        return f"{report.state}: {report.found:,} of {whole:,} images"
    return str(report.state)


def _counts(report: Report) -> Table:
    """Known and found numbers, and those of the tables where not all that they list is on disk."""
    compared = any(line.known is not None for line in report.counts)
    listed = any(line.listed != line.found for line in report.counts)
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("part", style="dim")
    table.add_column("counted")
    for title, shown in (("full copy", compared), ("in the tables", listed), ("on disk", True)):
        if shown:
            table.add_column(title, justify="right")
    before = ""
    for line in report.counts:
        part, _, quantity = line.name.partition("/")
        cells = [Text(part if part != before else ""), Text(quantity)]
        cells += [Text("" if line.known is None else f"{line.known:,}")] if compared else []
        cells += [Text(f"{line.listed:,}")] if listed else []
        table.add_row(*cells, Text(f"{line.found:,}", style=_style(line.known, line.found)))
        before = part
    return table


def _style(known: int | None, found: int) -> str:
    if known is None:
        return ""
    return "green" if found == known else "yellow" if found < known else "red"


def _verdict(report: Report) -> Text:
    if report.ok:
        words = {"partial": "what is there is right; the copy is partial", "complete": "complete and right"}
        return Text(f"{report.dataset}: {words.get(report.state, 'no problem found')}", style="bold green")
    count = len(report.problems)
    return Text(f"{report.dataset}: {count:,} problem{'s' * (count > 1)}", style="bold red")
