"""Metrics of classification trials: from predictions alone, undefined ones left blank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ...stats.scoring import (
    brier,
    calibration_error,
    defined_auc,
    mean_of_defined,
    precision_recall_f1,
    sensitivity_specificity,
)
from ..predictions import Predictions
from .binary_view import BinaryView

Metrics = dict[str, float | None]
# Of the logarithm in log_loss.
LEAST_PROBABILITY = 1e-15

# Column of predictions: 1 and 0 a label for above and not above the limit that validation set, NaN where it set none.
POSITIVE_AT_95 = "positive_at_95_specificity"


def score_single_label(predictions: Predictions, view: BinaryView | None) -> Metrics:
    """Metrics of classes that exclude each other.

    Accuracy, log-loss, and over one-vs-rest views of the classes the means of precision, recall, F1 and AUC (with
    `/class` for one class). `brier` is the sum over classes of the squared difference of probability and truth
    (0 to 2). `calibration_error` is that of the probability of the most probable class: how often it is the right
    one (Guo et al., ICML 2017). `sensitivity_at_95_specificity` as for `score_multi_label`, one against the rest.
    Probabilities of a fit that weighs the classes alike do not follow the classes' shares, which both `brier` and
    `calibration_error` count against it.

    With `view` also the binary metrics of one class against all others taken together, decided by the most probable
    class.
    """
    truth = predictions.table["truth"].to_numpy(dtype=np.int64)
    decision = predictions.table["decision"].to_numpy(dtype=np.int64)
    scores = _column(predictions, "scores")
    classes = np.arange(len(predictions.labels))[:, None]
    is_truth, is_decision = truth == classes, decision == classes
    precision, recall, f1 = precision_recall_f1(is_truth, is_decision)
    areas = defined_auc(is_truth, scores)
    of_truth = np.take_along_axis(scores, truth[None], axis=0)[0]
    metrics: Metrics = {
        "accuracy": float(np.mean(truth == decision)),
        "balanced_accuracy": mean_of_defined(recall),
        "precision": mean_of_defined(precision),
        "recall": mean_of_defined(recall),
        "f1": mean_of_defined(f1),
        "auc": mean_of_defined(areas),
        "log_loss": float(-np.mean(np.log(np.maximum(of_truth, LEAST_PROBABILITY)))),
        "brier": float(brier(is_truth, scores).sum()),
        "calibration_error": float(calibration_error(truth == scores.argmax(axis=0), scores.max(axis=0))),
    }
    for name, values in {"precision": precision, "recall": recall, "f1": f1, "auc": areas}.items():
        metrics |= _by_label(name, predictions.labels, values)
    metrics |= _at_95_specificity(predictions, is_truth.astype(np.float64), predictions.labels)
    if view is not None:
        labels = predictions.labels
        is_ill, called_ill = (view.positive(classes, labels) for classes in (truth, decision))
        metrics |= _binary(is_ill, called_ill, view.score(scores.T, labels))
    return _blank_for_nan(metrics)


def score_multi_label(predictions: Predictions, main: Sequence[str]) -> Metrics:
    """Metrics of labels that do not exclude each other; what is unknown counts for nothing.

    `auc` is the mean over the labels in `main` for which it is defined, `auc_all` over all of them;
    `study_auc` is computed as the official scoring does: per study, the highest score over its views.
    `accuracy` is that of all single decisions. Precision, recall, F1, `brier` (mean squared difference of
    probability and truth, 0 to 1), `calibration_error` (15 bins of equal numbers) and
    `sensitivity_at_95_specificity` are means over the labels in `main` too; `/label` follows the name for one label.
    The sensitivity is that at the limit which validation samples set (see `stats.scoring.limit_at_specificity`);
    `specificity_reached` is what that limit gave on the test samples of the same labels. Both are blank where
    validation had too few negatives, and in predictions that were written without them.
    """
    truth, scores = _column(predictions, "truth"), _column(predictions, "scores")
    decision = _column(predictions, "decision")
    # A label that was not fitted has neither a score nor a decision.
    known = ~np.isnan(truth) & ~np.isnan(scores)
    counted = np.where(known, truth, np.nan)
    precision, recall, f1 = precision_recall_f1(counted, decision)
    areas = defined_auc(truth, scores)
    study_areas = areas
    if not predictions.table["study_id"].is_unique:
        study_areas = defined_auc(*by_study(predictions, truth, scores))
    chosen = [index for index, label in enumerate(predictions.labels) if label in main]
    right = (decision == truth) & known
    metrics: Metrics = {
        "auc": mean_of_defined(areas[chosen]),
        "auc_all": mean_of_defined(areas),
        "study_auc": mean_of_defined(study_areas[chosen]),
        "accuracy": float(right.sum() / known.sum()) if known.any() else None,
        "precision": mean_of_defined(precision[chosen]),
        "recall": mean_of_defined(recall[chosen]),
        "f1": mean_of_defined(f1[chosen]),
        "brier": mean_of_defined(brier(truth[chosen], scores[chosen])),
        "calibration_error": mean_of_defined(calibration_error(truth[chosen], scores[chosen])),
    }
    for name, values in {"auc": areas, "precision": precision, "recall": recall, "f1": f1}.items():
        metrics |= _by_label(name, predictions.labels, values)
    return _blank_for_nan(metrics | _at_95_specificity(predictions, counted, main))


def undefined_notes(metrics: Metrics) -> tuple[str, ...]:
    """Sentences that name the labels left out of the means of AUC and of sensitivity, where there are any."""
    notes = []
    blank = _blank_labels(metrics, "auc")
    if blank:
        why = "no score, or one class only in the test set"
        notes.append(f"AUC undefined ({why}), left out of the means: {', '.join(blank)}")
    unlimited = [label for label in _blank_labels(metrics, "sensitivity_at_95_specificity") if label not in blank]
    # Where no label has one there is no mean that could mislead.
    if unlimited and metrics.get("sensitivity_at_95_specificity") is not None:
        why = "too few negatives in validation"
        notes.append(f"sensitivity at 95 % specificity undefined ({why}), left out of its mean: {', '.join(unlimited)}")
    return tuple(notes)


def decisions(predictions: Predictions, view: BinaryView | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Whether each decision is right, and whether it is one at all (truth and score known).

    Both bool, [N, 1] for single-label and [N, labels] for multi-label predictions. With `view`, of a single-label
    task, it is the decision between its class and all others.
    """
    if view is not None:
        columns = (predictions.table[name].to_numpy() for name in ("truth", "decision"))
        ill, called_ill = (view.positive(classes, predictions.labels) for classes in columns)
        return (ill == called_ill)[:, None], np.ones((len(ill), 1), dtype=bool)
    if predictions.exclusive:
        right = predictions.table["truth"].to_numpy() == predictions.table["decision"].to_numpy()
        return right[:, None], np.ones((len(right), 1), dtype=bool)
    truth, scores = predictions.array("truth"), predictions.array("scores")
    return (truth == 1) == (predictions.array("decision") == 1), ~np.isnan(truth) & ~np.isnan(scores)


def _column(predictions: Predictions, name: str) -> np.ndarray:
    """A list column as float64 [labels, N], with each label's samples side by side."""
    return np.ascontiguousarray(predictions.array(name).T)


def by_study(predictions: Predictions, truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Highest truth and highest score [labels, studies] over the images of each study, as the studies come."""
    study_of_row, studies = pd.factorize(predictions.table["study_id"])
    order = np.argsort(study_of_row, kind="stable")
    first = np.searchsorted(study_of_row[order], np.arange(len(studies)))
    # fmax passes over an unknown truth; a score that could not be computed must stay unknown.
    return np.fmax.reduceat(truth[:, order], first, axis=1), np.maximum.reduceat(scores[:, order], first, axis=1)


def _at_95_specificity(predictions: Predictions, truth: np.ndarray, main: Sequence[str]) -> dict[str, float]:
    """Sensitivity and specificity [labels] at the limits from validation, and their means over `main`."""
    called = np.full(truth.shape, np.nan)
    if POSITIVE_AT_95 in predictions.table:
        called = _column(predictions, POSITIVE_AT_95)
    sensitivity, specificity = sensitivity_specificity(truth, called)
    # Both means over the same labels, or one could not be read beside the other.
    both = ~np.isnan(sensitivity) & ~np.isnan(specificity)
    chosen = both & np.array([label in main for label in predictions.labels])
    return {
        "sensitivity_at_95_specificity": mean_of_defined(sensitivity[chosen]),
        "specificity_reached": mean_of_defined(specificity[chosen]),
        **_by_label("sensitivity_at_95_specificity", predictions.labels, sensitivity),
        **_by_label("specificity_reached", predictions.labels, specificity),
    }


def _binary(truth: np.ndarray, decision: np.ndarray, score: np.ndarray) -> dict[str, float]:
    precision, recall, f1 = precision_recall_f1(truth, decision)
    return {
        "binary_accuracy": float(np.mean(truth == decision)),
        "binary_precision": float(precision),
        "binary_recall": float(recall),
        "binary_f1": float(f1),
        "binary_auc": float(defined_auc(truth, score)),
    }


def _by_label(name: str, labels: Sequence[str], values: np.ndarray) -> dict[str, float]:
    return {f"{name}/{label}": float(value) for label, value in zip(labels, values, strict=True)}


def _blank_labels(metrics: Metrics, name: str) -> list[str]:
    start = f"{name}/"
    return [key.removeprefix(start) for key, value in metrics.items() if key.startswith(start) and value is None]


def _blank_for_nan(metrics: Mapping[str, float | None]) -> Metrics:
    return {name: None if value is None or np.isnan(value) else float(value) for name, value in metrics.items()}
