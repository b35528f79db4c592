"""`cxrbench generator`: convert generators that others trained, and train one's own."""

from __future__ import annotations

import typer

from .convert import convert
from .train import train

app = typer.Typer(help="Convert and train generators of images.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Convert and train generators of images."""


app.command()(convert)
app.command()(train)
