"""Metrics of classification trials: from predictions alone, undefined ones left blank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...stats.auc import auc
from ..predictions import Predictions

Metrics = dict[str, float | None]


def score_single_label(predictions: Predictions, negative: str | None) -> Metrics:
    """Accuracy, macro precision, recall, F1 and one-vs-rest AUC, log-loss, and recall and AUC a class.

    With `negative` (the class that means healthy) also the binary view: that class against all others
    taken together, decided by whether the most probable class is another one.
    """
    truth = predictions.table["truth"].to_numpy(dtype=np.int64)
    decision = predictions.table["decision"].to_numpy(dtype=np.int64)
    scores = np.stack(predictions.table["scores"].to_list()).astype(np.float64)
    classes = np.arange(len(predictions.labels))
    is_truth = truth[:, None] == classes
    is_decision = decision[:, None] == classes
    precision, recall, f1 = _precision_recall_f1(is_truth, is_decision)
    areas = _areas(is_truth.astype(np.float64), scores)
    metrics: Metrics = {
        "accuracy": float(np.mean(truth == decision)),
        "balanced_accuracy": _mean(recall),
        "precision": _mean(precision),
        "recall": _mean(recall),
        "f1": _mean(f1),
        "auc": _mean(areas),
        "log_loss": float(-np.mean(np.log(np.maximum(scores[np.arange(len(truth)), truth], 1e-15)))),
    }
    for index, label in enumerate(predictions.labels):
        metrics[f"recall/{label}"] = recall[index]
        metrics[f"auc/{label}"] = areas[index]
    if negative is not None:
        index = predictions.labels.index(negative)
        metrics |= _binary(truth != index, decision != index, 1.0 - scores[:, index])
    return metrics


def score_multi_label(predictions: Predictions, main: Sequence[str]) -> Metrics:
    """AUC a label and their means; macro precision, recall and F1; exact-match and label-wise accuracy.

    `auc` is the mean over the labels in `main` for which it is defined, `auc_all` over all of them;
    `study_auc` is computed as the official scoring does: per study, the highest score over its views.
    """
    truth = np.stack(predictions.table["truth"].to_list()).astype(np.float64)
    scores = np.stack(predictions.table["scores"].to_list()).astype(np.float64)
    decision = np.stack(predictions.table["decision"].to_list()).astype(bool)
    # A label that was not fitted has neither a score nor a decision.
    known = ~np.isnan(truth) & ~np.isnan(scores)
    precision, recall, f1 = _precision_recall_f1((truth == 1) & known, decision & known)
    areas = _areas(truth, scores)
    study_areas = _areas(*_by_study(predictions, truth, scores))
    chosen = [index for index, label in enumerate(predictions.labels) if label in main]
    right = (decision == (truth == 1)) & known
    metrics: Metrics = {
        "auc": _mean([areas[index] for index in chosen]),
        "auc_all": _mean(areas),
        "study_auc": _mean([study_areas[index] for index in chosen]),
        "accuracy": float(right.sum() / known.sum()) if known.any() else None,
        "precision": _mean([precision[index] for index in chosen]),
        "recall": _mean([recall[index] for index in chosen]),
        "f1": _mean([f1[index] for index in chosen]),
    }
    return metrics | {f"auc/{label}": areas[index] for index, label in enumerate(predictions.labels)}


def undefined_notes(metrics: Metrics) -> tuple[str, ...]:
    """A sentence that names the AUCs left out of the means, where there are any."""
    blank = [name.removeprefix("auc/") for name, value in metrics.items() if name.startswith("auc/") and value is None]
    if not blank:
        return ()
    return (f"AUC undefined (no score, or one class only in the test set), left out of the means: {', '.join(blank)}",)


def decisions(predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Whether each decision is right, and whether it is one at all (truth and score known).

    Both bool, [N, 1] for single-label and [N, labels] for multi-label predictions.
    """
    if predictions.exclusive:
        right = predictions.table["truth"].to_numpy() == predictions.table["decision"].to_numpy()
        return right[:, None], np.ones((len(right), 1), dtype=bool)
    truth = np.stack(predictions.table["truth"].to_list()).astype(np.float64)
    scores = np.stack(predictions.table["scores"].to_list()).astype(np.float64)
    decision = np.stack(predictions.table["decision"].to_list()).astype(bool)
    return decision == (truth == 1), ~np.isnan(truth) & ~np.isnan(scores)


def _by_study(predictions: Predictions, truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Highest truth and highest score over the images of each study."""
    studies, study_of_row = np.unique(predictions.table["study_id"].to_numpy(dtype=str), return_inverse=True)
    shape = (len(studies), truth.shape[1])
    # fmax passes over an unknown truth; a score that could not be computed must stay unknown.
    study_truth, study_scores = np.full(shape, np.nan), np.full(shape, -np.inf)
    np.fmax.at(study_truth, study_of_row, truth)
    np.maximum.at(study_scores, study_of_row, scores)
    return study_truth, study_scores


def _areas(truth: np.ndarray, scores: np.ndarray) -> list[float | None]:
    """AUC a column; None where a score is missing or only one class is present."""
    areas: list[float | None] = []
    for column in range(truth.shape[1]):
        known = ~np.isnan(truth[:, column])
        labels, values = truth[known, column], scores[known, column]
        defined = len(np.unique(labels)) == 2 and not np.isnan(values).any()
        areas.append(float(auc(labels, values)) if defined else None)
    return areas


def _precision_recall_f1(
    is_truth: np.ndarray, is_decision: np.ndarray
) -> tuple[list[float | None], list[float | None], list[float | None]]:
    """One value a column. Precision without a positive decision and F1 of a class never found are 0; a class
    without a case has no recall, no precision and no F1."""
    hits = (is_truth & is_decision).sum(axis=0)
    cases, decided = is_truth.sum(axis=0), is_decision.sum(axis=0)
    precision, recall, f1 = [], [], []
    for hit, case, positive in zip(hits, cases, decided, strict=True):
        precision.append(None if case == 0 else float(hit / positive) if positive else 0.0)
        recall.append(None if case == 0 else float(hit / case))
        f1.append(None if case == 0 else float(2 * hit / (case + positive)))
    return precision, recall, f1


def _binary(truth: np.ndarray, decision: np.ndarray, score: np.ndarray) -> Metrics:
    precision, recall, f1 = _precision_recall_f1(truth[:, None], decision[:, None])
    return {
        "binary_accuracy": float(np.mean(truth == decision)),
        "binary_precision": precision[0],
        "binary_recall": recall[0],
        "binary_f1": f1[0],
        "binary_auc": _areas(truth[:, None].astype(np.float64), score[:, None])[0],
    }


def _mean(values: Sequence[float | None]) -> float | None:
    """Mean over the values that are defined; None where none is."""
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None
