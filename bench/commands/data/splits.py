"""`cxrbench data splits`: write and read who trains, validates and tests."""

from __future__ import annotations

import typer

app = typer.Typer(help="Write and read who trains, validates and tests.", no_args_is_help=True)


@app.callback()
def _group() -> None: ...
