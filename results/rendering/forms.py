"""Any table in any form."""

from __future__ import annotations

import io
from collections.abc import Sequence

from ..grid import Grid
from .csv import csv
from .latex import latex
from .markdown import markdown
from .text import show_all

FORMS = ("text", "markdown", "csv", "latex")


def render(grids: Sequence[Grid], form: str) -> str:
    """`grids` as one document, plain and uncut.

    Args:
        grids: tables.
        form: one of FORMS.

    Raises:
        ValueError: another form.
    """
    if form == "csv":
        return csv(grids)
    if form == "markdown":
        return "\n".join(map(markdown, grids))
    if form == "latex":
        return "\n".join(map(latex, grids))
    if form == "text":
        from rich.console import Console

        file = io.StringIO()
        console = Console(file=file, force_terminal=False)
        show_all(grids, console)
        return file.getvalue()
    raise ValueError(f"unknown form {form!r}; known: {', '.join(FORMS)}")
