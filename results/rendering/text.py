"""Tables on a terminal, and as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..grid import Column, Entry, Grid
from .cell import SYNTHETIC, number, ranked, signs

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

GAP = 2
# Where nothing is bold or underlined.
BEST, SECOND = "¹", "²"


def show_all(grids: Iterable[Grid], console: Console) -> None:
    """Print tables one below the other, see `show`."""
    for grid in grids:
        show(grid, console)


def show(grid: Grid, console: Console) -> None:
    """Print `grid`.

    On a terminal the best is bold, the second underlined, and a table wider than the terminal is printed in
    pieces, each with the labels of its rows. Elsewhere the best has a ¹, the second a ², and nothing is cut.
    """
    from rich.text import Text

    terminal = console.is_terminal
    # Texts, not strings: nothing in a name is markup or an emoji.
    console.print(Text(grid.title, style="bold"), soft_wrap=not terminal)
    if grid.synthetic:
        console.print(SYNTHETIC, style="bold yellow", highlight=False)
    tracks = [_track(grid, index, terminal) for index in range(len(grid.columns))]
    label_width = max([_width(grid.row_title), *(_width(_label(grid, row.label)) for row in grid.rows)])
    for piece in _pieces(grid.columns, tracks, console.width - label_width if terminal else None):
        for line in _lines(grid, piece, label_width):
            line.rstrip()
            console.print(line, highlight=False, soft_wrap=True)
        console.print()
    notes = list(grid.notes)
    if ranked(grid):
        notes.insert(0, "Bold: best; underlined: second." if terminal else f"{BEST} best, {SECOND} second.")
    for note in notes:
        console.print(Text(f"  {note}", style="dim"), soft_wrap=not terminal)
    console.print()


@dataclass(frozen=True)
class _Track:
    """One column laid out: numbers end at the same place, signs begin there."""

    index: int
    numbers: tuple[str, ...]
    signs: tuple[str, ...]
    number_width: int
    sign_width: int

    @property
    def width(self) -> int:
        return self.number_width + self.sign_width


def _track(grid: Grid, index: int, terminal: bool) -> _Track:
    entries = [row.entries[index] for row in grid.rows]
    numbers = tuple(number(entry) for entry in entries)
    beside = tuple(("" if terminal else _place(entry)) + signs(entry) for entry in entries)
    sign_width = max([_width(sign) for sign in beside], default=0)
    title = _width(grid.columns[index].title)
    number_width = max([title - sign_width, *(_width(each) for each in numbers)], default=title)
    return _Track(index, numbers, beside, number_width, sign_width)


def _place(entry: Entry) -> str:
    return BEST if entry.best else SECOND if entry.second else ""


def _pieces(columns: Sequence[Column], tracks: Sequence[_Track], room: int | None) -> Iterator[list[_Track]]:
    """As many neighbouring columns as fit into `room` cells; all of them without a limit."""
    piece: list[_Track] = []
    used = 0
    for track in tracks:
        width = track.width + GAP
        if piece and room is not None and used + width > room:
            yield piece
            piece, used = [], 0
        piece.append(track)
        used += width
    if piece:
        yield piece


def _lines(grid: Grid, piece: Sequence[_Track], label_width: int) -> Iterator[Text]:
    from rich.text import Text

    widths = _widened(grid.columns, piece)
    if any(grid.columns[track.index].group for track in piece):
        line = Text(" " * label_width)
        for group, members in _groups(grid.columns, piece):
            span = sum(widths[track.index] + GAP for track in members) - GAP
            line.append(" " * GAP + _centred(group, span), style="dim" if _published(grid, members) else "")
        yield line
    line = Text(_filled(grid.row_title, label_width), style="bold")
    for track in piece:
        column = grid.columns[track.index]
        line.append(" " * (GAP + widths[track.index] - _width(column.title)) + column.title)
    yield line
    group = ""
    for position, row in enumerate(grid.rows):
        if row.group != group:
            group = row.group
            yield Text(group, style="italic")
        line = Text(_filled(_label(grid, row.label), label_width))
        for track in piece:
            entry = row.entries[track.index]
            shown, beside = track.numbers[position], track.signs[position]
            line.append(" " * (GAP + widths[track.index] - track.sign_width - _width(shown)))
            line.append(shown, style=_style(entry, grid.columns[track.index]))
            line.append(_filled(beside, track.sign_width))
        yield line


def _widened(columns: Sequence[Column], piece: Sequence[_Track]) -> dict[int, int]:
    """Widths of the columns; the first of a group takes what its heading needs beyond them."""
    widths = {track.index: track.width for track in piece}
    for group, members in _groups(columns, piece):
        span = sum(widths[track.index] + GAP for track in members) - GAP
        widths[members[0].index] += max(0, _width(group) - span)
    return widths


def _groups(columns: Sequence[Column], piece: Sequence[_Track]) -> Iterator[tuple[str, list[_Track]]]:
    """Neighbours that share a heading."""
    members: list[_Track] = []
    for track in piece:
        if members and columns[track.index].group != columns[members[0].index].group:
            yield columns[members[0].index].group, members
            members = []
        members.append(track)
    if members:
        yield columns[members[0].index].group, members


def _published(grid: Grid, members: Sequence[_Track]) -> bool:
    return all(grid.columns[track.index].published for track in members)


def _style(entry: Entry, column: Column) -> str:
    return " ".join(
        style
        for style, holds in (("bold", entry.best), ("underline", entry.second), ("dim", column.published))
        if holds
    )


def _label(grid: Grid, label: str) -> str:
    return f"  {label}" if any(row.group for row in grid.rows) else label


def _width(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _filled(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _centred(text: str, width: int) -> str:
    """`text` between rules, so that one sees which columns it spans."""
    left = (width - _width(text)) // 2
    if not text:
        return " " * width
    if left < 2:
        return " " * left + text + " " * (width - left - _width(text))
    return f"{'─' * (left - 1)} {text} {'─' * (width - left - _width(text) - 1)}"
