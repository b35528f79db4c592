"""Paired differences between two classification trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...foundation.errors import RefusedError
from ..trial import Comparison
from .paired_tests import tests_of_multi_label, tests_of_single_label
from .scores import decisions

if TYPE_CHECKING:
    from ..predictions import Predictions
    from .task import ClassificationTask


def compare_classification(task: ClassificationTask, a: Predictions, b: Predictions) -> list[Comparison]:
    """One Comparison a metric. Raises RefusedError where samples, labels or truth differ, or a score is NaN."""
    a, b = a.aligned_with(b)
    truth_a, truth_b = (_column(each, "truth") for each in (a, b))
    if not np.array_equal(truth_a, truth_b, equal_nan=True):
        raise RefusedError("the two trials disagree on the truth of their test samples; their label policies differ")
    for each in (a, b):
        _refuse_single_nans(each)
    (right_a, known_a), (right_b, known_b) = decisions(a), decisions(b)
    both = known_a & known_b
    scores_a, scores_b = task.score(a), task.score(b)
    settings, asked = task.settings.labels, task.meta.tests
    if a.exclusive:
        tests = tests_of_single_label(a, b, asked, settings.negative)
    else:
        tests = tests_of_multi_label(a, b, asked, settings.main or a.labels)
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
                tests=tests.get(metric, ()),
            )
        )
    return comparisons


def _column(predictions: Predictions, name: str) -> np.ndarray:
    """A column as float64: [N] or [N, labels]."""
    return np.stack(predictions.table[name].to_list()).astype(np.float64)


def _refuse_single_nans(predictions: Predictions) -> None:
    """A label that was not fitted has no score at all; a score missing here and there is damage."""
    missing = np.isnan(_column(predictions, "scores"))
    partly = missing.any(axis=0) & (predictions.exclusive | ~missing.all(axis=0))
    if partly.any():
        labels = ", ".join(np.array(predictions.labels)[partly][:3])
        raise RefusedError(
            f"{int(missing[:, partly].sum())} scores are NaN ({labels}); such predictions cannot be compared: "
            "remove the trial's folder and run it again"
        )
