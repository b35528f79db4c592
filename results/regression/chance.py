"""What an encoder that knows nothing reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ...tasks.predictions import Predictions


def chance_of(metric: str, predictions: Predictions) -> float | None:
    """`metric` without any knowledge of the image; None where that is not known.

    AUC, of one label or as a mean: 0.5. Accuracy of single-label tasks: the share of the most frequent class in the
    truth of `predictions`, which is what always deciding for that class reaches.
    """
    name = metric.partition("/")[0]
    if "auc" in name.split("_"):
        return 0.5
    if name == "accuracy" and predictions.exclusive:
        _, counts = np.unique(predictions.table["truth"].to_numpy(dtype=np.int64), return_counts=True)
        return float(counts.max() / counts.sum())
    return None
