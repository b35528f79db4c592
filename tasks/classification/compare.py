"""Paired differences between two classification trials."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...foundation.errors import RefusedError
from ..trial import Comparison
from .paired_tests import tests_of_multi_label, tests_of_single_label
from .scores import decisions

if TYPE_CHECKING:
    from ..predictions import Predictions
    from .binary_view import BinaryView
    from .task import ClassificationTask


def compare_classification(task: ClassificationTask, a: Predictions, b: Predictions) -> list[Comparison]:
    """One Comparison a metric. Raises RefusedError as `pair_classification` does."""
    a, b = pair_classification(a, b)
    scores_a, scores_b = task.score(a), task.score(b)
    view, asked = task.settings.labels.view, task.meta.tests
    if a.exclusive:
        tests = tests_of_single_label(a, b, asked, view)
    else:
        tests = tests_of_multi_label(a, b, asked, task.settings.labels.main or a.labels)
    patients = a.patients()
    alone = {each: _alone(a, b, each) for each in (None, view)}
    return [
        Comparison.of(
            metric,
            value_a,
            scores_b.get(metric),
            patients,
            tests.get(metric, ()),
            alone[view if metric.startswith("binary_") else None],
        )
        for metric, value_a in scores_a.items()
    ]


def pair_classification(a: Predictions, b: Predictions) -> tuple[Predictions, Predictions]:
    """Both row by row, without scores of labels that one of them did not fit: a mean over other labels is another
    metric.

    Raises RefusedError where samples, labels, patients or truth differ, or where a score is NaN here and there.
    """
    a, b = a.aligned_with(b)
    for each in (a, b):
        _refuse_single_nans(each)
    if a.exclusive:
        return a, b
    unfitted = np.stack([np.isnan(each.array("scores")).all(axis=0) for each in (a, b)]).any(axis=0)
    return (_without(a, unfitted), _without(b, unfitted)) if unfitted.any() else (a, b)


def _without(predictions: Predictions, labels: np.ndarray | np.bool) -> Predictions:
    """The same without scores of `labels` [L]."""
    scores = np.where(labels, np.nan, predictions.array("scores"))
    return replace(predictions, table=predictions.table.assign(scores=list(scores)))


def _alone(a: Predictions, b: Predictions, view: BinaryView | None) -> tuple[int, int]:
    """How many decisions only a, and only b, got right; see `decisions`."""
    (right_a, known), (right_b, _) = decisions(a, view), decisions(b, view)
    return int((right_a & ~right_b & known).sum()), int((right_b & ~right_a & known).sum())


def _refuse_single_nans(predictions: Predictions) -> None:
    """A label that was not fitted has no score at all; a score missing here and there is damage."""
    missing = np.isnan(predictions.array("scores"))
    partly = missing.any(axis=0) & (predictions.exclusive | ~missing.all(axis=0))
    if partly.any():
        labels = ", ".join(np.array(predictions.labels)[partly][:3])
        raise RefusedError(
            f"{int(missing[:, partly].sum())} scores are NaN ({labels}); such predictions cannot be compared: "
            "remove the trial's folder and run it again"
        )
