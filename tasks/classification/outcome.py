"""What frozen and fine-tuned trials share: the table of predictions, thresholds, and the split in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...data.splits import Split, absent_labels
from ...stats.scoring import limit_at_specificity
from ..predictions import Predictions
from .scores import POSITIVE_AT_95

if TYPE_CHECKING:
    from ...data.radiographs import Radiographs

# A threshold from fewer validation samples of either kind would be noise.
MIN_FOR_THRESHOLD = 5


def predictions_of(
    radiographs: Radiographs,
    rows: np.ndarray,
    targets: np.ndarray,
    scores: np.ndarray,
    thresholds: np.ndarray,
    limits: np.ndarray | None = None,
) -> Predictions:
    """The table of predictions for test `rows`.

    Args:
        radiographs: all samples.
        rows: test rows [T].
        targets: label values of all samples [N, L] after the policy.
        scores: probabilities of the test rows [T, L].
        thresholds: [L]; a score at or above it decides for the label. Single-label tasks decide for the
            most probable class instead.
        limits: [L] from `limits_of`; without them sensitivity at 95 % specificity stays blank.
    """
    table = radiographs.samples.loc[rows, ["sample_id", "patient_id", "study_id"]].reset_index(drop=True)
    if radiographs.exclusive:
        truth = pd.Series(targets[rows].argmax(axis=1))
        decision = pd.Series(scores.argmax(axis=1))
    else:
        truth = pd.Series(list(targets[rows]))
        decision = pd.Series(list(scores >= thresholds))
    table = table.assign(truth=truth, scores=pd.Series(list(scores.astype(np.float64))), decision=decision)
    if limits is not None:
        positive = np.where(np.isnan(limits) | np.isnan(scores), np.nan, scores > limits)
        table[POSITIVE_AT_95] = pd.Series(list(positive))
    return Predictions(table, radiographs.labels, radiographs.exclusive)


def thresholds_of(targets: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The threshold a label that maximises sensitivity + specificity on validation samples (Youden's J).

    Args:
        targets: [V, L], NaN where unknown.
        scores: [V, L].

    Returns:
        Thresholds [L], 0.5 where validation has fewer than MIN_FOR_THRESHOLD samples of either kind, and
        whether each was chosen [L].
    """
    thresholds = np.full(targets.shape[1], 0.5)
    chosen = np.zeros(targets.shape[1], dtype=bool)
    for label in range(targets.shape[1]):
        known = ~np.isnan(targets[:, label]) & ~np.isnan(scores[:, label])
        positive, values = targets[known, label] == 1, scores[known, label]
        if min(positive.sum(), (~positive).sum()) < MIN_FOR_THRESHOLD:
            continue
        order = np.argsort(values, kind="stable")
        values, positive = values[order], positive[order]
        # Deciding at values[i] calls everything from i on positive; only the first of equal values counts.
        sensitivity = positive[::-1].cumsum()[::-1] / positive.sum()
        specificity = np.concatenate([[0], (~positive).cumsum()[:-1]]) / (~positive).sum()
        first = np.concatenate([[True], values[1:] != values[:-1]])
        thresholds[label] = values[np.argmax(np.where(first, sensitivity + specificity, -1))]
        chosen[label] = True
    return thresholds, chosen


def limits_of(targets: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The score a label [L] above which 5 % of new negatives lie, from validation samples.

    NaN where validation has too few negatives or the label was not fitted. `targets` [V, L] are NaN where
    unknown; of classes that exclude each other, each is taken against the rest.
    """
    return limit_at_specificity(targets.T, scores.T)


def split_in_words(radiographs: Radiographs, split: Split, targets: np.ndarray) -> dict[str, object]:
    """Counts of images and patients a role, and the labels of which the training part has no case."""
    patients = radiographs.samples["patient_id"].to_numpy()
    described: dict[str, object] = {}
    for role in ("train", "validation", "test"):
        rows = getattr(split, role)
        described[role] = {"images": len(rows), "patients": len(np.unique(patients[rows]))}
    described["labels_absent_from_train"] = absent_labels(radiographs, targets, split.train)
    return described


def split_notes(described: dict[str, object]) -> tuple[str, ...]:
    """A sentence that names the labels a draw lacks, where there are any."""
    absent = described["labels_absent_from_train"]
    assert isinstance(absent, list)
    return (f"labels without a training case in this draw: {', '.join(absent)}",) if absent else ()
