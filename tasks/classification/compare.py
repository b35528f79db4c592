"""Paired differences between two classification trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...foundation.errors import RefusedError
from ..trial import Comparison
from .scores import decisions

if TYPE_CHECKING:
    from ..predictions import Predictions
    from ..task import Task


def compare_classification(task: Task, a: Predictions, b: Predictions) -> list[Comparison]:
    """One Comparison a metric. Raises RefusedError where samples, labels or truth differ."""
    a, b = a.aligned_with(b)
    if not np.array_equal(_truth(a), _truth(b), equal_nan=True):
        raise RefusedError("the two trials disagree on the truth of their test samples; their label policies differ")
    (right_a, known_a), (right_b, known_b) = decisions(a), decisions(b)
    both = known_a & known_b
    scores_a, scores_b = task.score(a), task.score(b)
    comparisons = []
    for metric, value_a in scores_a.items():
        value_b = scores_b.get(metric)
        difference = None if value_a is None or value_b is None else value_a - value_b
        comparisons.append(
            Comparison(
                metric=metric,
                value_a=value_a,
                value_b=value_b,
                difference=difference,
                n=len(a.table),
                patients=a.table["patient_id"].nunique(),
                only_a_right=int((right_a & ~right_b & both).sum()),
                only_b_right=int((right_b & ~right_a & both).sum()),
            )
        )
    return comparisons


def _truth(predictions: Predictions) -> np.ndarray:
    """Truth of all samples, float64: [N] for single-label, [N, labels] otherwise."""
    return np.stack(predictions.table["truth"].to_list()).astype(np.float64)
