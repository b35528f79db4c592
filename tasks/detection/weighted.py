"""Detection metrics as functions of how often each test image counts: what a bootstrap asks thousands of times."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .scores import MEANINGS, OF_LABELS, matched

if TYPE_CHECKING:
    from ..predictions import Predictions


def weighted_metric(predictions: Predictions, metric: str) -> Callable[[np.ndarray], np.ndarray] | None:
    """A metric of `scores.score` as a function of whole weights [B, N] -> [B], NaN where undefined.

    Boxes are matched once. None for a metric that has no such form.
    """
    name, _, label = metric.partition("/")
    if name not in MEANINGS or (label and (name != OF_LABELS or label not in predictions.labels)):
        return None
    return matched(predictions).weighted(name, predictions.labels.index(label) if label else None)
