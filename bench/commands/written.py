"""Output of a command: on the terminal, or whole into a file."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

FILE_WIDTH = 400


def output_console(file: TextIO | None = None) -> Console:
    """A console on `file` or standard output; where that is no terminal, wide enough to cut and fold nothing."""
    from rich.console import Console

    found = Console(file=file)
    return found if found.is_terminal else Console(file=file, width=FILE_WIDTH)


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
