"""Metrics of weighted samples: what a bootstrap needs, where a resample is how often each sample was drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .auc import auc


@dataclass(frozen=True)
class WeightedMetric:
    """A metric of fixed samples as a function of their weights.

    Attributes:
        n_samples: N.
        values: the function; weights [B, N], 0 or above, -> [..., B], NaN where the metric is undefined.

    Called with weights of another shape it raises ValueError.
    """

    n_samples: int
    values: Callable[[np.ndarray], np.ndarray]

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        weights = np.asarray(weights)
        if weights.ndim != 2 or weights.shape[1] != self.n_samples:
            raise ValueError(f"weights {list(weights.shape)} must be [resamples, {self.n_samples} samples]")
        # Small types would overflow in sums.
        if weights.dtype == bool or (np.issubdtype(weights.dtype, np.integer) and weights.dtype.itemsize < 4):
            weights = weights.astype(np.int32)
        return self.values(weights)


def weighted_auc(y_true: np.ndarray, score: np.ndarray) -> WeightedMetric:
    """Area under the ROC curve as a function of sample weights.

    Sorts once; each call then costs one pass over the samples. With whole weights everything is counted in whole half
    pairs, so that weights say exactly what `auc` says of samples that are repeated as often.

    Args:
        y_true: [N] or [..., N] of 0 and 1, or booleans.
        score: [..., N]; leading axes broadcast and come back in front of the resamples' axis.

    Raises ValueError as `auc` does. Weights under which a class is empty give NaN.
    """
    auc(y_true, score)
    y_true, score = np.broadcast_arrays(np.asarray(y_true), np.asarray(score))
    shape, n_samples = y_true.shape[:-1], y_true.shape[-1]
    positive = y_true.reshape(-1, n_samples) == 1
    curves = [_Curve.sorted(*pair) for pair in zip(positive, score.reshape(-1, n_samples), strict=True)]

    def values(weights: np.ndarray) -> np.ndarray:
        return np.stack([curve.area(weights) for curve in curves]).reshape(*shape, len(weights))

    return WeightedMetric(n_samples, values)


def weighted_mean(values: np.ndarray) -> WeightedMetric:
    """Mean of values [..., N] (booleans count as 0 and 1: accuracy, from correctness) as a function of sample weights.

    Raises ValueError for values that are not finite numbers. Weights that are all zero give NaN.
    """
    values = np.asarray(values)
    if (
        values.ndim == 0
        or not (values.dtype == bool or np.issubdtype(values.dtype, np.number))
        or np.iscomplexobj(values)
    ):
        raise ValueError(f"values must be an array of real numbers, not {values.dtype} {list(values.shape)}")
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"{int((~np.isfinite(values)).sum())} values are not finite numbers")
    shape, n_samples = values.shape[:-1], values.shape[-1]
    rows = values.reshape(-1, n_samples)

    def means(weights: np.ndarray) -> np.ndarray:
        # Not a matrix product, whose last bits depend on how many resamples stand in a batch.
        sums = np.stack([np.einsum("bn,n->b", weights, row) for row in rows])
        with np.errstate(divide="ignore", invalid="ignore"):
            return (sums / weights.sum(axis=1)).reshape(*shape, len(weights))

    return WeightedMetric(n_samples, means)


@dataclass(frozen=True)
class _Curve:
    """One sorted set of samples: where each sample of the smaller class stands among those of the larger."""

    few: np.ndarray
    many: np.ndarray
    # Of the sorted larger class, how many lie below, and how many below or level with, each of the smaller.
    below: np.ndarray
    level: np.ndarray
    tied: bool
    few_positive: bool

    @staticmethod
    def sorted(positive: np.ndarray, score: np.ndarray) -> _Curve:
        few_positive = bool(2 * positive.sum() <= len(positive))
        few = np.flatnonzero(positive == few_positive)
        many = np.flatnonzero(positive != few_positive)
        # In the order of the scores memory is read forwards.
        few, many = few[np.argsort(score[few], kind="stable")], many[np.argsort(score[many], kind="stable")]
        below = np.searchsorted(score[many], score[few], side="left")
        level = np.searchsorted(score[many], score[few], side="right")
        return _Curve(few, many, below, level, bool((below != level).any()), few_positive)

    def area(self, weights: np.ndarray) -> np.ndarray:
        """AUC [B] under weights [B, N]."""
        whole = np.issubdtype(weights.dtype, np.integer)
        few = np.take(weights, self.few, axis=1)
        cumulated = np.zeros((len(weights), len(self.many) + 1), dtype=weights.dtype)
        np.cumsum(np.take(weights, self.many, axis=1), axis=1, out=cumulated[:, 1:])
        wide = np.int64 if whole else np.float64
        half_pairs = np.einsum("bn,bn->b", np.take(cumulated, self.below, axis=1), few, dtype=wide)
        if self.tied:
            half_pairs = half_pairs + np.einsum("bn,bn->b", np.take(cumulated, self.level, axis=1), few, dtype=wide)
        else:
            half_pairs = 2 * half_pairs
        pairs = few.sum(axis=1, dtype=wide) * cumulated[:, -1].astype(wide)
        if not self.few_positive:
            half_pairs = 2 * pairs - half_pairs
        with np.errstate(divide="ignore", invalid="ignore"):
            return half_pairs / (2 * pairs)
