"""The area under the ROC curve."""

from __future__ import annotations

import numpy as np

from .ranks import checked_labels, checked_scores, half_pairs, half_wins, pairs


def auc(y_true: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of scores: the chance that a positive scores above a negative, ties half.

    Pairs are counted in whole halves (Mann-Whitney), so equal samples in another order give the same bits.

    Args:
        y_true: [..., N] of 0 and 1, or booleans.
        score: [..., N], higher is more positive; infinite scores are ranked. Leading axes broadcast.

    Returns float64 [...] (a scalar for one set of samples). Raises ValueError for other labels, one class
    only, NaN scores, lengths that differ, or no samples.
    """
    score = checked_scores(score, y_true)
    positive = checked_labels(y_true)
    return (half_pairs(positive, half_wins(positive, score)) / (2 * pairs(positive)))[()]
