"""`cxrbench data cache`: decoded images and features on disk."""

from __future__ import annotations

import typer

app = typer.Typer(help="Decoded images and features on disk.", no_args_is_help=True)


@app.callback()
def _group() -> None: ...
