"""`cxrbench figure`: curves, detections, masks, heatmaps and made images as PNG, PDF or SVG."""

from __future__ import annotations

import typer

from .bones import bones
from .detections import detections
from .fractions import fractions
from .heatmaps import heatmaps
from .inversion import inversion
from .masks import masks
from .nodules import nodules
from .roc import roc

app = typer.Typer(help="Draw curves, detections, masks, heatmaps and made images for print.", no_args_is_help=True)
app.command()(roc)
app.command()(fractions)
app.command()(detections)
app.command()(masks)
app.command()(heatmaps)
app.command()(inversion)
app.command()(bones)
app.command()(nodules)
