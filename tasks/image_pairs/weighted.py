"""Means over images as functions of how often each test image counts: what a bootstrap asks thousands of times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..mean_over_images import Weighted, weighted_mean_of_known
from .predictions import values_per_image

if TYPE_CHECKING:
    from ..predictions import Predictions


def weighted_metric(predictions: Predictions, metric: str) -> Weighted | None:
    """The array form of a metric of `score_images`; None where there is none of that name."""
    values = values_per_image(predictions).get(metric)
    return None if values is None else weighted_mean_of_known(values)
