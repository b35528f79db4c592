r"""Tables as LaTeX: booktabs, ready to compile; the preamble they need stands in a comment.

Every table is made to fit: it shrinks to the width of the line where it is wider, and one with many columns puts
the published ones into a table of their own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..grid import Column, Entry, Grid
from .cell import BLANK, SYNTHETIC, number, ranked, signs

PREAMBLE = r"\usepackage{booktabs,graphicx}"

# From here on headings are turned, published columns get a table of their own, rows move together.
TURNED_FROM = 13
SPLIT_FROM = 21
TIGHT_FROM = 30

# Of the notes: characters a line, and the height of a line as a share of the page.
NOTE_WIDTH, NOTE_HEIGHT = 90, 0.019

_NOTHING = "\0"
_ESCAPES = {
    _NOTHING: "{}",
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    # Bare, it would be an optional argument where it follows the end of a row.
    "[": "{[}",
    "]": "{]}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    '"': "''",
    "±": r"$\pm$",
    "\u00d7": r"$\times$",
    "·": r"$\cdot$",
    "†": r"$^{\dagger}$",
    "‡": r"$^{\ddagger}$",
    "*": r"$^{*}$",
    "§": r"$^{\S}$",
    "¶": r"$^{\P}$",
    "‖": r"$^{\parallel}$",
    "\u2013": "--",
    "\u2014": "---",
    "\u2019": "'",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "\u2212": "$-$",
    "…": r"\dots{}",
}


def latex(grid: Grid) -> str:
    r"""`grid` as one or two `table` floats, with notes below; best in bold, second underlined.

    Needs `\usepackage{booktabs,graphicx}`. Characters that pdflatex does not know become a question mark.
    """
    comment = [f"% {_one_line(grid.name)}, made by cxrbench; the preamble needs {PREAMBLE}"]
    if grid.synthetic:
        comment.append(f"% {SYNTHETIC}")
    parts = _parts(grid)
    floats = [_float(grid, indices, part, last=part == len(parts) - 1) for part, indices in enumerate(parts)]
    return "\n".join([*comment, *floats]) + "\n"


def escaped(text: str) -> str:
    """`text` so that pdflatex prints it as it is."""
    # Two hyphens would become a dash.
    apart = re.sub(r"-(?=-)", f"-{_NOTHING}", text)
    return "".join(_ESCAPES.get(character) or _known(character) for character in apart)


def _known(character: str) -> str:
    # pdflatex reads Latin-1 letters; of others only the letter below an accent is left.
    if " " <= character <= "~" or "\u00c0" <= character <= "\u00ff":
        return character
    if character.isspace():
        return " "
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return "".join(_ESCAPES.get(each, each) for each in plain) or "?"


def _parts(grid: Grid) -> list[list[int]]:
    """Columns of each float: all in one, or ours and the published ones apart."""
    everything = list(range(len(grid.columns)))
    published = [index for index in everything if grid.columns[index].published]
    if len(everything) < SPLIT_FROM or not published:
        return [everything]
    return [[index for index in everything if index not in published], published]


def _float(grid: Grid, indices: Sequence[int], part: int, last: bool) -> str:
    columns = [grid.columns[index] for index in indices]
    if part:
        # The caption says it for all of them.
        columns = [replace(each, group=each.group.removesuffix(", published")) for each in columns]
    synthetic = f" \\textbf{{{SYNTHETIC}.}}" if grid.synthetic and not all(each.published for each in columns) else ""
    title = escaped(grid.title) + (r" \emph{(continued: published numbers)}" if part else "")
    label = f"\\label{{tab:{_one_line(grid.name)}{'-published' if part else ''}}}"
    tight = len(grid.rows) >= TIGHT_FROM
    notes = list(_notes(grid)) if last else []
    lines = [
        r"\begin{table}[htbp]",
        r"\centering",
        f"\\caption{{{title}.{synthetic}}}{label}",
        r"\scriptsize" if tight else r"\small",
        *([r"\setlength{\tabcolsep}{3pt}"] if len(columns) >= TURNED_FROM else []),
        # Both shrink what is larger than the page has room for, and leave the rest as it is.
        *([_height_limit(notes)] if tight else []),
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        f"\\begin{{tabular}}{{l{'r' * len(columns)}}}",
        r"\toprule",
        *_headings(grid.row_title, columns),
        r"\midrule",
        *_rows(grid, indices),
        r"\bottomrule",
        r"\end{tabular}%",
        "}}" if tight else "}",
        *notes,
        r"\end{table}",
    ]
    return "\n".join(lines)


def _height_limit(notes: Sequence[str]) -> str:
    """What makes a table as high as a page has room for, beside its caption and these notes."""
    lines = sum(1 + len(note) // NOTE_WIDTH for text in notes for note in text.split("\n"))
    room = max(0.4, 0.9 - lines * NOTE_HEIGHT)
    limit = f"{room:.2f}\\textheight"
    return f"\\resizebox*{{!}}{{\\ifdim\\totalheight>{limit} {limit}\\else\\totalheight\\fi}}{{%"


def _headings(row_title: str, columns: Sequence[Column]) -> Iterator[str]:
    spans = _spans(columns)
    if any(column.group for column in columns):
        cells = [f"\\multicolumn{{{end - start}}}{{c}}{{{escaped(group)}}}" for group, start, end in spans]
        yield " & ".join(["", *cells]) + r" \\"
        # The label's column is the first.
        yield " ".join(f"\\cmidrule(lr){{{start + 2}-{end + 1}}}" for group, start, end in spans if group)
    turned = len(columns) >= TURNED_FROM and max(len(column.title) for column in columns) > 5
    titles = [f"\\rotatebox{{90}}{{{escaped(each.title)}}}" if turned else escaped(each.title) for each in columns]
    centred = [f"\\multicolumn{{1}}{{c}}{{{title}}}" for title in titles]
    yield " & ".join([escaped(row_title), *centred]) + r" \\"


def _spans(columns: Sequence[Column]) -> list[tuple[str, int, int]]:
    """Heading, first column and end of neighbours that share a heading."""
    spans: list[tuple[str, int, int]] = []
    for index, column in enumerate(columns):
        if spans and spans[-1][0] == column.group:
            spans[-1] = (column.group, spans[-1][1], index + 1)
        else:
            spans.append((column.group, index, index + 1))
    return spans


def _rows(grid: Grid, indices: Sequence[int]) -> Iterator[str]:
    grouped = any(row.group for row in grid.rows)
    group = ""
    for position, row in enumerate(grid.rows):
        if row.group != group:
            group = row.group
            if position:
                yield r"\addlinespace[2pt]"
            yield f"\\multicolumn{{{len(indices) + 1}}}{{l}}{{\\textit{{{escaped(group)}}}}} \\\\"
        label = (r"\quad " if grouped else "") + escaped(row.label)
        yield " & ".join([label, *(_cell(row.entries[index]) for index in indices)]) + r" \\"


def _cell(entry: Entry) -> str:
    shown = escaped(number(entry))
    if shown == escaped(BLANK):
        return f"\\multicolumn{{1}}{{c}}{{{shown}}}"
    if entry.best:
        shown = f"\\textbf{{{shown}}}"
    if entry.second:
        shown = f"\\underline{{{shown}}}"
    # Signs hang over, so that numbers stay in line.
    beside = escaped(signs(entry))
    return f"{shown}\\rlap{{{beside}}}" if beside else shown


def _notes(grid: Grid) -> Iterator[str]:
    notes = list(grid.notes)
    if ranked(grid):
        notes.insert(0, "Bold: best; underlined: second.")
    if notes:
        yield r"\par\smallskip"
        yield r"\begin{minipage}{\linewidth}\raggedright\scriptsize"
        yield " \\par\n".join(escaped(note) for note in notes)
        yield r"\end{minipage}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
