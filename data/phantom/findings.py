"""Findings by name: who draws which, how severe they are, and how they are put into a body."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .airspace import atelectasis, consolidation, edema, interstitial, mass, nodule, opacity
from .effect import Effect
from .hardware import device, fracture
from .pleura import effusion, pneumothorax
from .scene import Scene

Painter = Callable[[Scene, np.random.Generator, float], Effect]

# Cardiomegaly is not here: it is a shape of the heart, drawn with the body.
PAINTERS: dict[str, Painter] = {
    "opacity": opacity,
    "nodule": nodule,
    "mass": mass,
    "consolidation": consolidation,
    "atelectasis": atelectasis,
    "interstitial": interstitial,
    "edema": edema,
    "effusion": effusion,
    "pneumothorax": pneumothorax,
    "fracture": fracture,
    "device": device,
}


def draw_severity(rng: np.random.Generator) -> float:
    """How severe a finding is, 0 to 1: many plain, some mild, a few hardly visible."""
    return float(rng.beta(2.6, 1.0))


def heart_growth(severity: float) -> float:
    """What cardiomegaly of this severity adds to the ratio of heart width to chest width."""
    return 0.055 + 0.19 * severity
