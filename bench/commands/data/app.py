"""`cxrbench data`: phantoms, validation, audits, splits, decoded images, caches, cards."""

from __future__ import annotations

import typer

from .audit import audit
from .cache import app as cache_app
from .card import card
from .phantom import phantom
from .prepare import prepare
from .splits import app as splits_app
from .validate import validate

app = typer.Typer(help="Validate, audit and split datasets; make phantoms; manage caches.", no_args_is_help=True)
app.command()(validate)
app.command()(audit)
app.command()(card)
app.command()(phantom)
app.command()(prepare)
app.add_typer(splits_app, name="splits")
app.add_typer(cache_app, name="cache")
