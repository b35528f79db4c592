"""`cxrbench encoders`: look at files with weights, put them in place, convert them."""

from __future__ import annotations

import typer

from .add import add
from .convert import convert
from .inspect import inspect

app = typer.Typer(help="Look at files with weights, put them in place, convert them.", no_args_is_help=True)
app.command()(add)
app.command()(inspect)
app.command()(convert)
