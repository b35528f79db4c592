"""Classification metrics as functions of how often each test image counts: what a bootstrap asks thousands of times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...stats import weighted_auc
from .scores import LEAST_PROBABILITY, by_study, decisions

if TYPE_CHECKING:
    from ..predictions import Predictions
    from .binary_view import BinaryView

# Whole weights [B, N] -> values [B], NaN where undefined.
Weighted = Callable[[np.ndarray], np.ndarray]


def weighted_metric(
    predictions: Predictions, metric: str, main: Sequence[str] = (), view: BinaryView | None = None
) -> Weighted | None:
    """The array form of a metric of `score_single_label` or `score_multi_label`; None where it has none.

    Args:
        predictions: of one trial, N rows.
        metric: its name.
        main: labels of the means of multi-label tasks; all where empty.
        view: for the binary metrics of single-label tasks.
    """
    name, _, label = metric.partition("/")
    if label and label not in predictions.labels:
        return None
    main = predictions.labels if predictions.exclusive or not main else main
    chosen = [index for index, each in enumerate(predictions.labels) if each in ((label,) if label else main)]
    if metric == "accuracy":
        right, known = decisions(predictions)
        return _ratio((right & known).sum(axis=1), known.sum(axis=1))
    if name in ("auc", "auc_all"):
        chosen = list(range(len(predictions.labels))) if name == "auc_all" else chosen
        return _mean_auc(_truth(predictions), predictions.array("scores"), chosen)
    if metric == "study_auc" and not predictions.exclusive:
        return _study_auc(predictions, chosen)
    if name in ("precision", "recall", "f1"):
        return _of_counts(predictions, name, chosen)
    if metric == "balanced_accuracy" and predictions.exclusive:
        return _of_counts(predictions, "recall", chosen)
    if metric == "log_loss" and predictions.exclusive:
        truth = predictions.table["truth"].to_numpy(dtype=np.int64)
        of_truth = np.take_along_axis(predictions.array("scores"), truth[:, None], axis=1)[:, 0]
        return _ratio(-np.log(np.maximum(of_truth, LEAST_PROBABILITY)), np.ones(len(truth)))
    if metric == "brier":
        return _brier(predictions, chosen)
    if predictions.exclusive and view is not None and metric in ("binary_accuracy", "binary_auc"):
        return _binary(predictions, metric, view)
    return None


def _ratio(above: np.ndarray, below: np.ndarray) -> Weighted:
    """Weighted sum of `above` [N] or [N, K] over the weighted sum of `below`: [B] or [B, K]."""

    def values(weights: np.ndarray) -> np.ndarray:
        return _divided(weights @ above.astype(np.float64), weights @ below.astype(np.float64))

    return values


def _study_auc(predictions: Predictions, chosen: Sequence[int]) -> Weighted:
    """The mean over studies; the images of one weigh alike, as those of one patient do."""
    truth, scores = by_study(predictions, _truth(predictions).T, predictions.array("scores").T)
    first = np.flatnonzero(~predictions.table["study_id"].duplicated().to_numpy())
    of_studies = _mean_auc(truth.T, scores.T, chosen)
    return lambda weights: of_studies(weights[:, first])


def _mean_auc(truth: np.ndarray, scores: np.ndarray, chosen: Sequence[int]) -> Weighted:
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


def _of_counts(predictions: Predictions, metric: str, chosen: Sequence[int]) -> Weighted:
    """Precision, recall or F1, averaged over the chosen classes or labels that have a case."""
    truth, scores = _truth(predictions)[:, chosen], predictions.array("scores")[:, chosen]
    if predictions.exclusive:
        is_decision = predictions.table["decision"].to_numpy()[:, None] == np.array(chosen)
    else:
        is_decision = predictions.array("decision")[:, chosen] == 1
    known = ~np.isnan(truth) & ~np.isnan(scores)
    is_truth, is_decision = (truth == 1) & known, is_decision & known
    counts = [each.astype(np.float64) for each in (is_truth & is_decision, is_truth, is_decision)]

    def values(weights: np.ndarray) -> np.ndarray:
        hits, cases, decided = (weights @ each for each in counts)
        below = {"precision": decided, "recall": cases, "f1": (cases + decided) / 2}[metric]
        # Without a decision precision is 0; a class without a case is left out.
        of_class = np.where(cases > 0, np.divide(hits, below, out=np.zeros_like(hits), where=below > 0), np.nan)
        return _divided(np.nansum(of_class, axis=1), (cases > 0).sum(axis=1))

    return values


def _brier(predictions: Predictions, chosen: Sequence[int]) -> Weighted:
    """Summed over the classes of single-label tasks, averaged over the labels of others."""
    truth, scores = _truth(predictions)[:, chosen], predictions.array("scores")[:, chosen]
    known = ~np.isnan(truth) & ~np.isnan(scores)
    of_label = _ratio(np.where(known, (truth - scores) ** 2, 0.0), known)
    if predictions.exclusive:
        return lambda weights: of_label(weights).sum(axis=1)

    def mean(weights: np.ndarray) -> np.ndarray:
        values = of_label(weights)
        return _divided(np.nansum(values, axis=1), (~np.isnan(values)).sum(axis=1))

    return mean


def _binary(predictions: Predictions, metric: str, view: BinaryView) -> Weighted:
    is_ill = view.positive(predictions.table["truth"].to_numpy(), predictions.labels)
    if metric == "binary_auc":
        if not 0 < is_ill.sum() < len(is_ill):
            return lambda weights: np.full(len(weights), np.nan)
        return weighted_auc(is_ill, view.score(predictions.array("scores"), predictions.labels))
    right, known = decisions(predictions, view)
    return _ratio(right[:, 0], known[:, 0])


def _divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)


def _truth(predictions: Predictions) -> np.ndarray:
    """[N, labels] of 0, 1 and NaN, for both kinds of predictions."""
    truth = predictions.array("truth")
    if predictions.exclusive:
        return (truth[:, None] == np.arange(len(predictions.labels))).astype(np.float64)
    return truth
