"""Output of a command: on the terminal, or whole into a file."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

FILE_WIDTH = 400


def write(content: str | Callable[[Console], None], out: Path | None) -> None:
    """Write text, or what a function prints on a console, to standard output or to the file `out`.

    What is not a terminal gets plain text that no width cuts. Raises UserError where the file cannot be written.
    """
    from rich.console import Console

    from ...foundation.files import new_file

    if out is None:
        if isinstance(content, str):
            sys.stdout.write(content)
        else:
            content(Console() if sys.stdout.isatty() else Console(width=FILE_WIDTH))
        return
    if not isinstance(content, str):
        text = io.StringIO()
        content(Console(file=text, width=FILE_WIDTH))
        content = text.getvalue()
    with new_file(out) as file:
        file.write_text(content, encoding="utf-8")
    print(f"wrote {out}", file=sys.stderr)
