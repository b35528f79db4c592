"""COCO's twelve numbers: what each is averaged over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# COCO's own expressions: steps of 0.05 and 0.01 added up would differ in the last bit.
IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
# Least and largest area in square pixels, both inside: all, small, medium, large.
AREAS = np.array([[0.0, 1e10], [0.0, 32.0**2], [32.0**2, 96.0**2], [96.0**2, 1e10]])
MOST_DETECTIONS = 100


@dataclass(frozen=True)
class Metric:
    """One of the numbers.

    Attributes:
        precision: average precision, over 101 recalls; else the recall that is reached.
        thresholds: which of the ten overlaps it is averaged over.
        area: row of `AREAS`.
        most: detections counted of an image and label, those of the highest scores.
    """

    precision: bool
    thresholds: range = range(len(IOU_THRESHOLDS))
    area: int = 0
    most: int = MOST_DETECTIONS


METRICS: dict[str, Metric] = {
    "map": Metric(True),
    "map50": Metric(True, range(0, 1)),
    "map75": Metric(True, range(5, 6)),
    "map_small": Metric(True, area=1),
    "map_medium": Metric(True, area=2),
    "map_large": Metric(True, area=3),
    "ar1": Metric(False, most=1),
    "ar10": Metric(False, most=10),
    "ar100": Metric(False),
    "ar_small": Metric(False, area=1),
    "ar_medium": Metric(False, area=2),
    "ar_large": Metric(False, area=3),
}


def metric_named(name: str) -> Metric:
    """The metric of this name; ValueError for others."""
    if name not in METRICS:
        raise ValueError(f"metric {name!r} must be one of {', '.join(METRICS)}")
    return METRICS[name]
