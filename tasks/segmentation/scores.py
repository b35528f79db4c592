"""Metrics of segmentation trials: from predictions alone, undefined ones left blank."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...stats.scoring import defined_auc, sensitivity_specificity
from ..mean_over_images import mean_of_known
from .overlap import Overlap, overlap_of

if TYPE_CHECKING:
    from ..predictions import Predictions


def score_masks(predictions: Predictions, overlap: Overlap | None = None) -> dict[str, float | None]:
    """Metrics of one trial.

    `dice` is the mean over all images by the rule of the SIIM-ACR challenge: 1 where mask and decision are both empty,
    0 where one of them is. `iou` is the mean of intersection over union by the same rule. `dice_positive` and
    `iou_positive` are means over the images that have a mask. `sensitivity` and `specificity` are shares of the images
    with and without a mask for which the decision is not empty and empty; `auc` is the area under the ROC curve of
    the largest probability of a pixel, which tells images with a mask from those without.

    `overlap` is that of `predictions`, where it is at hand.
    """
    overlap = overlap or overlap_of_predictions(predictions)
    positive = overlap.truth > 0
    metrics = {name: mean_of_known(values) for name, values in values_per_image(overlap).items()}
    found, spared = sensitivity_specificity(positive.astype(float), (overlap.decision > 0).astype(float))
    area = defined_auc(positive.astype(float), predictions.array("scores")[:, 0])
    metrics |= {"sensitivity": float(found), "specificity": float(spared), "auc": float(area)}
    return {name: None if np.isnan(value) else value for name, value in metrics.items()}


def values_per_image(overlap: Overlap) -> dict[str, np.ndarray]:
    """Metric -> its value for each image [N], NaN where the image does not count, for those that are means of such."""
    positive = overlap.truth > 0
    dice, iou = overlap.dice(), overlap.iou()
    return {
        "dice": dice,
        "dice_positive": np.where(positive, dice, np.nan),
        "iou": iou,
        "iou_positive": np.where(positive, iou, np.nan),
    }


def overlap_of_predictions(predictions: Predictions) -> Overlap:
    """How each true mask and its decision overlap. Raises RefusedError where they are no masks of one size."""
    return overlap_of(predictions.table["truth"].tolist(), predictions.table["decision"].tolist())


def undefined_notes(metrics: dict[str, float | None]) -> tuple[str, ...]:
    """A sentence that names the metrics that are undefined, where there are any."""
    blank = [name for name, value in metrics.items() if value is None]
    why = "the test set lacks images with or without a mask"
    return (f"undefined ({why}): {', '.join(blank)}",) if blank else ()
