"""`cxrbench figure`: curves, detections, masks and heatmaps as PNG, PDF or SVG."""

from __future__ import annotations

import typer

from .detections import detections
from .fractions import fractions
from .heatmaps import heatmaps
from .masks import masks
from .roc import roc

app = typer.Typer(help="Draw curves, detections, masks and heatmaps for print.", no_args_is_help=True)
app.command()(roc)
app.command()(fractions)
app.command()(detections)
app.command()(masks)
app.command()(heatmaps)
