"""Segmentation metrics as functions of how often each test image counts: what a bootstrap asks thousands of times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...stats import weighted_auc
from ..mean_over_images import Weighted, undefined, weighted_mean_of_known
from .scores import overlap_of_predictions, values_per_image

if TYPE_CHECKING:
    from ..predictions import Predictions


def weighted_metric(predictions: Predictions, metric: str) -> Weighted | None:
    """The array form of a metric of `score_masks`; None where there is none of that name."""
    overlap = overlap_of_predictions(predictions)
    positive = overlap.truth > 0
    per_image = values_per_image(overlap)
    per_image["sensitivity"] = np.where(positive, overlap.decision > 0, np.nan)
    per_image["specificity"] = np.where(positive, np.nan, overlap.decision == 0)
    if metric in per_image:
        return weighted_mean_of_known(per_image[metric])
    if metric == "auc":
        if positive.all() or not positive.any():
            return undefined
        return weighted_auc(positive, predictions.array("scores")[:, 0])
    return None
