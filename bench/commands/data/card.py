"""`cxrbench data card`: what a dataset is and may be used for."""

from __future__ import annotations

import typer


def card() -> None:
    """What a dataset is and may be used for."""
    raise typer.Exit(2)
