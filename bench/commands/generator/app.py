"""`cxrbench generator`: convert generators that others trained."""

from __future__ import annotations

import typer

from .convert import convert

app = typer.Typer(help="Convert and train generators of images.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Convert and train generators of images."""


app.command()(convert)
