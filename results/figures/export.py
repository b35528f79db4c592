"""Figures as files: PNG, PDF and SVG, the same bytes whenever the same figure is written."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...foundation.errors import UserError
from ...foundation.files import expanded, new_file
from .style import DPI, print_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Suffix -> metadata that would differ from day to day, taken out.
_WITHOUT_DATES: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None},
    ".svg": {"Date": None},
}
FORMATS = tuple(_WITHOUT_DATES)


def figure_files(out: str, option: str = "--out") -> tuple[Path, ...]:
    """`roc.pdf,roc.png` -> the files to write, each once; asked before any work.

    Raises UserError for an empty entry, a suffix other than those of FORMATS, a folder that is not there or cannot be
    written into, and what is a folder itself.
    """
    files = tuple(dict.fromkeys(expanded(part.strip()) for part in out.split(",")))
    for file in files:
        suffix = file.suffix.lower()
        if suffix not in FORMATS:
            what = f"{suffix} is not written" if suffix else "a file's suffix says how it is written"
            raise UserError(f"{option} {file}: {what}; use .png, .pdf or .svg, several with commas: a.pdf,a.png")
        try:
            is_folder, has_folder = file.is_dir(), file.absolute().parent.is_dir()
        except OSError as error:
            raise UserError(f"{option} {file}: cannot write there: {error.strerror}; choose another name") from error
        if is_folder:
            raise UserError(f"{option} {file}: it is a folder; name a file")
        if not has_folder:
            raise UserError(f"{option} {file}: no such folder: {file.parent}; make it first, or name another")
        if not os.access(file.absolute().parent, os.W_OK | os.X_OK):
            raise UserError(f"{option} {file}: cannot write into {file.parent}; choose another folder")
    return files


def write_figure(figure: Figure, files: Sequence[Path]) -> None:
    """Write `figure` to all of `files` in the form that each suffix says: PNG at 300 dpi, PDF, SVG.

    Either all are written or none, and equal figures give equal bytes. Raises UserError where one cannot be written.
    """
    contents = [_rendered(figure, file.suffix.lower()) for file in files]
    with ExitStack() as stack:
        for file, content in zip(files, contents, strict=True):
            stack.enter_context(new_file(file)).write_bytes(content)


def _rendered(figure: Figure, suffix: str) -> bytes:
    buffer = io.BytesIO()
    with print_style():
        figure.savefig(buffer, format=suffix.removeprefix("."), dpi=DPI, metadata=_WITHOUT_DATES[suffix])
    return buffer.getvalue()
