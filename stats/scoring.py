"""Metrics of decisions and probabilities, on plain arrays; undefined ones are NaN.

Samples lie on the last axis [..., N]; leading axes (labels, replicates, resamples) broadcast and come back. Truth
is 0 or 1, and NaN where it is unknown: such samples count for nothing. A metric is NaN where its samples do not
define it, and where a score or decision of a sample that counts is NaN.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .auc import auc

CALIBRATION_BINS = 15
# The 95 % point of fewer negatives than these lies beyond the largest of them.
LEAST_NEGATIVES = 20


class PrecisionRecallF1(NamedTuple):
    """Three arrays [...]."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray


class SensitivitySpecificity(NamedTuple):
    """Two arrays [...]."""

    sensitivity: np.ndarray
    specificity: np.ndarray


def defined_auc(y_true: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Area under the ROC curve [...] as `auc` gives it, NaN where only one class is known or a score is NaN."""
    y_true, score = _aligned(y_true, score)
    known = ~np.isnan(y_true)
    positives = (y_true == 1).sum(axis=-1)
    defined = (positives > 0) & (positives < known.sum(axis=-1)) & ~(known & np.isnan(score)).any(axis=-1)
    shape = defined.shape
    y_true, score, known = (each.reshape(defined.size, y_true.shape[-1]) for each in (y_true, score, known))
    defined, whole = defined.reshape(-1), known.all(axis=-1)
    areas = np.full(len(defined), np.nan)
    if (defined & whole).any():
        areas[defined & whole] = auc(y_true[defined & whole], score[defined & whole])
    # Rows with gaps have a length each.
    for row in np.flatnonzero(defined & ~whole):
        areas[row] = auc(y_true[row, known[row]], score[row, known[row]])
    return areas.reshape(shape)[()]


def precision_recall_f1(y_true: np.ndarray, decision: np.ndarray) -> PrecisionRecallF1:
    """Precision, recall and F1 [...] of decisions [..., N], 0 or 1.

    Precision without a positive decision, and F1 of a class that is never found, are 0, as scikit-learn's
    `zero_division=0` has it. Without a known positive all three are NaN, so that a class which the samples
    lack enters no mean.
    """
    y_true, decision = _aligned(y_true, decision)
    known = ~np.isnan(y_true)
    hits = ((y_true == 1) & (decision == 1)).sum(axis=-1)
    cases = (y_true == 1).sum(axis=-1)
    decided = (known & (decision == 1)).sum(axis=-1)
    defined = (cases > 0) & ~(known & np.isnan(decision)).any(axis=-1)
    precision = np.where(decided > 0, hits / np.maximum(decided, 1), 0.0)
    recall = hits / np.maximum(cases, 1)
    f1 = 2 * hits / np.maximum(cases + decided, 1)
    return PrecisionRecallF1(*(np.where(defined, value, np.nan)[()] for value in (precision, recall, f1)))


def sensitivity_specificity(y_true: np.ndarray, decision: np.ndarray) -> SensitivitySpecificity:
    """Share of the positives decided positive, and of the negatives decided negative, [...] each.

    Decisions [..., N] are 0 or 1. Each is NaN where no sample of its kind is known.
    """
    y_true, decision = _aligned(y_true, decision)
    undecided = (~np.isnan(y_true) & np.isnan(decision)).any(axis=-1)
    shares = []
    for kind in (1, 0):
        cases = (y_true == kind).sum(axis=-1)
        right = ((y_true == kind) & (decision == kind)).sum(axis=-1)
        shares.append(np.where((cases > 0) & ~undecided, right / np.maximum(cases, 1), np.nan)[()])
    return SensitivitySpecificity(*shares)


def brier(y_true: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Mean squared difference of probability and truth [...], 0 (best) to 1; NaN without a known sample.

    Summed over the one-vs-rest rows of classes that exclude each other, this is the score as Brier wrote it
    for several classes (Monthly Weather Review 78, 1950, eq. 2), 0 to 2.
    """
    y_true, probability = _aligned(y_true, probability)
    known = ~np.isnan(y_true)
    squares = np.where(known, (probability - y_true) ** 2, 0.0)
    return _share(squares.sum(axis=-1), known.sum(axis=-1))


def calibration_error(y_true: np.ndarray, probability: np.ndarray, bins: int = CALIBRATION_BINS) -> np.ndarray:
    """Expected calibration error [...], 0 (best) to 1: |mean truth - mean probability| a bin, by the bins' weight.

    Bins hold equal numbers of samples and not equal widths (Nguyen and O'Connor, EMNLP 2015), because the
    probabilities of a rare finding all lie in the first of equal widths, where over- and underestimates cancel;
    equal numbers also estimate the error with less bias (Roelofs et al., AISTATS 2022). Equal probabilities are
    never parted, so the order of samples does not matter. Small samples bias it upwards (about sqrt(bins / N)
    at its largest): compare only within one test set. NaN without a known sample.

    Raises ValueError for fewer than one bin.
    """
    if bins < 1:
        raise ValueError(f"{bins} bins: at least one is needed")
    y_true, probability = _aligned(y_true, probability)
    known = ~np.isnan(y_true)
    n_known = known.sum(axis=-1)
    if y_true.shape[-1] == 0:
        return np.full(n_known.shape, np.nan)[()]
    # NaN sorts to the end, behind everything that counts.
    values = np.where(known, probability, np.nan)
    order = np.argsort(values, axis=-1)
    values = np.take_along_axis(values, order, axis=-1)
    excess = np.take_along_axis(np.where(known, y_true - probability, 0.0), order, axis=-1)
    ends = -(-n_known[..., None] * np.arange(1, bins + 1) // bins)
    last = np.take_along_axis(values, np.maximum(ends - 1, 0), axis=-1)
    ends = _places_up_to(values, last)
    sums = np.concatenate([np.zeros((*n_known.shape, 1)), np.cumsum(excess, axis=-1)], axis=-1)
    at_ends = np.concatenate([np.zeros((*n_known.shape, 1)), np.take_along_axis(sums, ends, axis=-1)], axis=-1)
    errors = np.abs(np.diff(at_ends, axis=-1)).sum(axis=-1)
    return np.where((known & np.isnan(probability)).any(axis=-1), np.nan, _share(errors, n_known))[()]


def limit_at_specificity(
    y_true: np.ndarray, score: np.ndarray, specificity: float = 0.95, least: int = LEAST_NEGATIVES
) -> np.ndarray:
    """The score [...] that new negatives exceed in at most a share of 1 - `specificity`, on average.

    It is the k-th smallest of the n negatives' scores with k = ceil(specificity (n + 1)): a new negative lies
    above it with probability 1 - k / (n + 1) (exchangeable scores without ties; with ties less often). The
    plain sample quantile, k = ceil(specificity n), is exceeded more often than it says, by up to 1 / (n + 1).

    Args:
        y_true: [..., N].
        score: [..., N], higher is more positive. What lies above the limit is called positive.
        specificity: above 0, below 1.
        least: NaN is given for fewer negatives than these, or than the limit needs.
    """
    if not 0 < specificity < 1:
        raise ValueError(f"specificity {specificity}: must lie between 0 and 1")
    y_true, score = _aligned(y_true, score)
    negatives = (y_true == 0).sum(axis=-1)
    # 0.95 times 20 must be 19, not the float beside it.
    rank = np.ceil(np.round(specificity * (negatives + 1), 9)).astype(np.int64)
    defined = (negatives >= max(least, 1)) & (rank <= negatives)
    defined &= ~(~np.isnan(y_true) & np.isnan(score)).any(axis=-1)
    limits = np.full(defined.shape, np.nan)
    if defined.any():
        ordered = np.sort(np.where(y_true == 0, score, np.nan)[defined], axis=-1)
        limits[defined] = np.take_along_axis(ordered, rank[defined][:, None] - 1, axis=-1)[:, 0]
    return limits[()]


def mean_of_defined(values: np.ndarray) -> float:
    """Mean over the values [K] that are not NaN; NaN where none is left."""
    values = np.asarray(values, dtype=np.float64)
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")


def _aligned(y_true: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 of one shape [..., N]. ValueError: lengths that differ, other truth than 0, 1, NaN."""
    y_true, other = np.asarray(y_true, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if y_true.ndim == 0 or other.ndim == 0 or y_true.shape[-1] != other.shape[-1]:
        raise ValueError(f"truth {list(y_true.shape)} and what is scored {list(other.shape)} differ in length")
    if not ((y_true == 0) | (y_true == 1) | np.isnan(y_true)).all():
        raise ValueError("truth must be 0, 1, or NaN where it is unknown")
    y_true, other = np.broadcast_arrays(y_true, other)
    return y_true, other


def _places_up_to(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """How many of `ordered` [..., N] (ascending, NaN last) are at most each of `values` [..., K]; NaN counts none."""
    rows, wanted = ordered.reshape(-1, ordered.shape[-1]), values.reshape(-1, values.shape[-1])
    known = (~np.isnan(rows)).sum(axis=-1)
    # NaN would be found behind itself: such rows hold nothing that counts.
    places = [
        np.searchsorted(row[:count], each, side="right") for row, each, count in zip(rows, wanted, known, strict=True)
    ]
    return np.array(places, dtype=np.int64).reshape(values.shape)


def _share(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """sums / counts, NaN where counts is 0."""
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)[()]
