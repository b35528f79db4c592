"""Distances as functions of how often each nodule counts: what a bootstrap asks thousands of times."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .scores import COLUMNS_OF, features_of_metric

if TYPE_CHECKING:
    from ..predictions import Predictions


def weighted_metric(predictions: Predictions, metric: str) -> Callable[[np.ndarray], np.ndarray] | None:
    """The array form of a metric of `score_patches`: whole weights [B, N] -> [B], NaN where undefined.

    A nodule's weight counts for its real and its painted patch. None where there is no metric of that name.
    """
    from ...stats.frechet_distance import weighted_frechet
    from ...stats.kernel_distance import weighted_kernel_distance

    if metric not in COLUMNS_OF:
        return None
    pair = features_of_metric(predictions, metric)
    if pair is None or len(pair[0]) < 2:
        return _undefined
    return weighted_kernel_distance(*pair) if metric == "kernel" else weighted_frechet(*pair)


def _undefined(weights: np.ndarray) -> np.ndarray:
    return np.full(len(weights), np.nan)
