"""How far painted nodules are from real ones: distances of two sets of features, from predictions alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .predictions import has_inception

if TYPE_CHECKING:
    from ..predictions import Predictions

# name -> whether higher is better.
METRICS = {"frechet": False, "fid": False, "kernel": False}
# Metric -> the columns with the features of real and painted patches that it compares.
COLUMNS_OF = {
    "frechet": ("truth", "scores"),
    "fid": ("truth_inception", "scores_inception"),
    "kernel": ("truth", "scores"),
}


def score_patches(predictions: Predictions) -> dict[str, float | None]:
    """Metrics of one trial.

    `frechet` is the Fréchet distance of the feature net's features of the painted patches from those of the real
    ones, `fid` that of the features of FID's Inception, None without them, and `kernel` the unbiased kernel distance
    (see `stats.kernel_distance`) of the feature net's. Both sets have one patch a nodule. All are None with fewer than
    two nodules.
    """
    from ...stats.frechet_distance import frechet_distance
    from ...stats.kernel_distance import kernel_distance

    found: dict[str, float | None] = {}
    for metric in METRICS:
        pair = features_of_metric(predictions, metric)
        if pair is None or len(pair[0]) < 2:
            found[metric] = None
        elif metric == "kernel":
            found[metric] = kernel_distance(*pair, paired=True)
        else:
            found[metric] = frechet_distance(*pair)
    return found


def features_of_metric(predictions: Predictions, metric: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Features [N, D] of real and painted patches that a metric compares; None where they are not there."""
    if metric == "fid" and not has_inception(predictions):
        return None
    real, painted = COLUMNS_OF[metric]
    return predictions.array(real), predictions.array(painted)


def meaning(metric: str, feature_net: str) -> str:
    """What a reader must know about a metric."""
    coupled = "painted patches have the surroundings of the real ones they are held against"
    return {
        "frechet": f"Fréchet distance on features of {feature_net}, which is not FID; {coupled}; falls with the number "
        "of nodules, so only equal numbers compare",
        "fid": f"Fréchet distance on features of the Inception network of 2015; {coupled}; falls with the number of "
        "nodules, and is far above that of published sets of thousands of images",
        "kernel": f"kernel distance (MMD^2, cubic kernel) on features of {feature_net}, unbiased: may be negative",
    }.get(metric, "")
