"""Output of a command: on the terminal, or whole into a file."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypeVar

from ...foundation.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

Form = TypeVar("Form", bound=StrEnum)

FILE_WIDTH = 400
# Suffix of a file -> the form that stands in such files; any other holds text.
FORM_OF = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".csv": "csv",
    ".tex": "latex",
    ".html": "html",
    ".htm": "html",
    ".json": "json",
}


TEXT = ("", ".txt", ".log")


def output_console(file: TextIO | None = None) -> Console:
    """A console on `file` or standard output; where that is no terminal, wide enough to cut and fold nothing."""
    from rich.console import Console

    # Without emoji: an encoder may be called :x:.
    found = Console(file=file, emoji=False)
    return found if found.is_terminal else Console(file=file, emoji=False, width=FILE_WIDTH)


def form_of(given: Form | None, out: Path | None, forms: type[Form]) -> Form:
    """The form to write: the one of `--format`, else that of the suffix of `--out`, else text.

    Args:
        given: `--format`; None where it was not given.
        out: `--out`.
        forms: those that the command has; text is one of them.

    Raises UserError where the suffix is that of no form which the command has.
    """
    if given is not None:
        return given
    suffix = "" if out is None else out.suffix.lower()
    wanted = "text" if suffix in TEXT else FORM_OF.get(suffix, suffix)
    if wanted not in set(forms):
        suffixes = [suffix for suffix, form in FORM_OF.items() if form in set(forms)]
        raise UserError(f"--out {out}: not written as {wanted}; use .txt, {', '.join(suffixes)}, or give --format")
    return forms(wanted)


def refuse_unwritable(option: str, path: Path | None) -> None:
    """Raise UserError where `path` could not be written, before the work that it is to hold. Nothing is created."""
    if path is None:
        return
    place = path.absolute()
    try:
        is_folder, folder = place.is_dir(), next(each for each in place.parents if each.exists())
    except OSError as error:
        raise UserError(f"{option} {path}: cannot write there: {error.strerror}; choose another folder") from error
    if is_folder:
        raise UserError(f"{option} {path}: cannot write: it is a folder; name a file")
    if not folder.is_dir():
        raise UserError(f"{option} {path}: cannot write there: {folder} is a file, not a folder; choose another one")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{option} {path}: cannot write into {folder}; choose another folder")


def write(content: str | Callable[[Console], None], out: Path | None) -> None:
    """Write text, or what a function prints on a console, to standard output or to the file `out`.

    What is not a terminal gets plain text that no width cuts. Raises UserError where the file cannot be written.
    """
    from ...foundation.files import new_file

    if out is None:
        if isinstance(content, str):
            sys.stdout.write(content)
        else:
            content(output_console())
        return
    if not isinstance(content, str):
        text = io.StringIO()
        content(output_console(text))
        content = text.getvalue()
    with new_file(out) as file:
        file.write_text(content, encoding="utf-8")
    print(f"wrote {out}", file=sys.stderr)
