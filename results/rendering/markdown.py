"""Tables as Markdown, as GitHub shows it."""

from __future__ import annotations

import re

from ..grid import Column, Entry, Grid
from .cell import SYNTHETIC, number, ranked, signs

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")


def markdown(grid: Grid) -> str:
    """`grid` with its title above and its notes below; best in bold, second underlined."""
    lines = [f"**{escaped(grid.title)}**", ""]
    if grid.synthetic:
        lines += [f"> **{SYNTHETIC}**", ""]
    lines.append(_line([escaped(grid.row_title), *map(_heading, grid.columns)]))
    lines.append("|---|" + "---:|" * len(grid.columns))
    group = ""
    for row in grid.rows:
        if row.group != group:
            group = row.group
            lines.append(_line([f"*{escaped(group)}*" if group else "", *[""] * len(grid.columns)]))
        lines.append(_line([escaped(row.label), *map(_cell, row.entries)]))
    notes = [escaped(note) for note in grid.notes]
    if ranked(grid):
        notes.insert(0, "**Best**, <u>second</u>.")
    lines += ["", *(f"- {note}" for note in notes)] if notes else []
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """`text` so that Markdown shows it as it is, on one line."""
    return " ".join(_SPECIAL.sub(r"\\\1", text).split())


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _heading(column: Column) -> str:
    return "<br>".join(escaped(part) for part in (column.group, column.title) if part)


def _cell(entry: Entry) -> str:
    shown = escaped(number(entry))
    if entry.best:
        shown = f"**{shown}**"
    if entry.second:
        shown = f"<u>{shown}</u>"
    return shown + escaped(signs(entry))
