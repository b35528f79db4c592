"""Classification metrics as functions of how often each test image counts: what a bootstrap asks thousands of times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...stats import weighted_auc
from .scores import decisions

if TYPE_CHECKING:
    from ..predictions import Predictions

# Whole weights [B, N] -> values [B], NaN where undefined.
Weighted = Callable[[np.ndarray], np.ndarray]


def weighted_metric(
    predictions: Predictions, metric: str, main: Sequence[str] = (), negative: str | None = None
) -> Weighted | None:
    """The array form of a metric of `score_single_label` or `score_multi_label`; None where it has none.

    Args:
        predictions: of one trial, N rows.
        metric: its name.
        main: labels of the mean `auc` of multi-label tasks; all where empty.
        negative: class that means healthy, for the binary metrics of single-label tasks.
    """
    if metric == "accuracy":
        right, known = decisions(predictions)
        return _ratio((right & known).sum(axis=1), known.sum(axis=1))
    if metric in ("auc", "auc_all") or metric.startswith("auc/"):
        return _mean_auc(predictions, metric, main)
    if predictions.exclusive and metric in ("precision", "recall", "f1", "balanced_accuracy"):
        return _macro(predictions, "recall" if metric == "balanced_accuracy" else metric)
    if predictions.exclusive and negative is not None and metric in ("binary_accuracy", "binary_auc"):
        return _binary(predictions, metric, predictions.labels.index(negative))
    return None


def _ratio(above: np.ndarray, below: np.ndarray) -> Weighted:
    """Weighted sum of `above` [N] over the weighted sum of `below` [N]."""

    def values(weights: np.ndarray) -> np.ndarray:
        return _divided(weights @ above.astype(np.float64), weights @ below.astype(np.float64))

    return values


def _mean_auc(predictions: Predictions, metric: str, main: Sequence[str]) -> Weighted:
    truth, scores = _truth(predictions), _scores(predictions)
    if metric.startswith("auc/"):
        chosen = [predictions.labels.index(metric.removeprefix("auc/"))]
    elif metric == "auc_all" or predictions.exclusive or not main:
        chosen = list(range(len(predictions.labels)))
    else:
        chosen = [index for index, label in enumerate(predictions.labels) if label in main]
    parts = []
    for column in chosen:
        known = np.flatnonzero(~np.isnan(truth[:, column]))
        labels, values = truth[known, column] == 1, scores[known, column]
        if labels.any() and not labels.all() and not np.isnan(values).any():
            parts.append((known, weighted_auc(labels, values)))

    def mean(weights: np.ndarray) -> np.ndarray:
        if not parts:
            return np.full(len(weights), np.nan)
        # A label that a resample happens to have one class of leaves that mean undefined: another set of labels
        # would be another metric.
        return np.mean([area(weights[:, known]) for known, area in parts], axis=0)

    return mean


def _macro(predictions: Predictions, metric: str) -> Weighted:
    classes = np.arange(len(predictions.labels))
    is_truth = predictions.table["truth"].to_numpy()[:, None] == classes
    is_decision = predictions.table["decision"].to_numpy()[:, None] == classes
    counts = [each.astype(np.float64) for each in (is_truth & is_decision, is_truth, is_decision)]

    def values(weights: np.ndarray) -> np.ndarray:
        hits, cases, decided = (weights @ each for each in counts)
        below = {"precision": decided, "recall": cases, "f1": (cases + decided) / 2}[metric]
        # Without a decision precision is 0; a class without a case is left out.
        of_class = np.where(cases > 0, np.divide(hits, below, out=np.zeros_like(hits), where=below > 0), np.nan)
        return _divided(np.nansum(of_class, axis=1), (cases > 0).sum(axis=1))

    return values


def _binary(predictions: Predictions, metric: str, negative: int) -> Weighted:
    is_ill = predictions.table["truth"].to_numpy() != negative
    if metric == "binary_auc":
        if not 0 < is_ill.sum() < len(is_ill):
            return lambda weights: np.full(len(weights), np.nan)
        return weighted_auc(is_ill, 1.0 - _scores(predictions)[:, negative])
    right = (predictions.table["decision"].to_numpy() != negative) == is_ill
    return _ratio(right, np.ones_like(right))


def _divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)


def _truth(predictions: Predictions) -> np.ndarray:
    """[N, labels] of 0, 1 and NaN, for both kinds of predictions."""
    truth = np.stack(predictions.table["truth"].to_list()).astype(np.float64)
    if predictions.exclusive:
        return (truth[:, None] == np.arange(len(predictions.labels))).astype(np.float64)
    return truth


def _scores(predictions: Predictions) -> np.ndarray:
    return np.stack(predictions.table["scores"].to_list()).astype(np.float64)
