"""The log as a CSV file that holds every step once, whatever was killed in between."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from ...foundation.files import new_file, writing
from .logger import Values


class CsvLogger:
    """Appends a line a call; the columns are `step` and the names of the values, in the order they first came.

    Args:
        path: the file.
        first: the next step that will come; lines of it and of later steps, which a killed try left, go, and a last
            line that was cut. At 0 the file begins anew.

    Raises:
        UserError: the file cannot be written; also from `log`.
    """

    def __init__(self, path: Path, first: int):
        self._path = path
        self._columns, rows = _read(path) if first else (["step"], [])
        kept = [row for row in rows if int(row["step"]) < first]
        self._file: TextIO | None = None
        self._begin(kept)

    def log(self, step: int, values: Values) -> None:
        """Append a line. Values with a new name get a column, blank in the lines before."""
        if new := [name for name in values if name not in self._columns]:
            self.close()
            _, rows = _read(self._path)
            self._columns += new
            self._begin(rows)
        row = {"step": str(step), **{name: _text(value) for name, value in values.items()}}
        with writing(self._path):
            file = self._file or self._path.open("a", encoding="utf-8", newline="")
            self._file = file
            file.write(_line([row.get(name, "") for name in self._columns]))
            file.flush()

    def close(self) -> None:
        """Let go of the file; a later `log` opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self, rows: Sequence[dict[str, str]]) -> None:
        lines = [self._columns, *([row.get(name, "") for name in self._columns] for row in rows)]
        with new_file(self._path) as beside:
            beside.write_text("".join(map(_line, lines)), encoding="utf-8", newline="")


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and whole lines of the file at `path`; `step` alone and none where there is no such file."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        text = ""
    # What follows the last line's end was cut by a kill.
    reader = csv.DictReader(text[: text.rfind("\n") + 1].splitlines())
    columns = list(reader.fieldnames or [])
    if columns[:1] != ["step"]:
        return ["step"], []
    return columns, [row for row in reader if row["step"].isdigit() and None not in row and None not in row.values()]


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _text(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.6g}"
