"""The area under the ROC curve."""

from __future__ import annotations

import numpy as np


def auc(y_true: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of scores: the chance that a positive scores above a negative, ties half.

    Pairs are counted in whole halves (Mann-Whitney), so equal samples in another order give the same bits.

    Args:
        y_true: [..., N] of 0 and 1, or booleans.
        score: [..., N], higher is more positive; infinite scores are ranked. Leading axes broadcast.

    Returns float64 [...] (a scalar for one set of samples). Raises ValueError for other labels, one class
    only, NaN scores, lengths that differ, or no samples.
    """
    y_true, score = np.asarray(y_true), np.asarray(score)
    _check(y_true, score)
    shape = np.broadcast_shapes(y_true.shape, score.shape)
    n_samples = shape[-1]
    positive = np.broadcast_to(y_true, shape).reshape(-1, n_samples) == 1
    flat = np.broadcast_to(score, shape).reshape(-1, n_samples)
    n_positive = positive.sum(axis=1)
    n_negative = n_samples - n_positive
    order = np.argsort(flat, axis=1)
    positive = np.take_along_axis(positive, order, axis=1)
    first, last = _ties(np.take_along_axis(flat, order, axis=1))
    # Twice the middle rank of a tie, counted from 1, is a whole number: first + last + 2.
    twice_ranks = np.where(positive, first + last + 2, 0).sum(axis=1)
    half_pairs = twice_ranks - n_positive * (n_positive + 1)
    return (half_pairs / (2 * n_positive * n_negative)).reshape(shape[:-1])[()]


def _ties(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For every place in sorted rows [B, N]: the first and the last place [B, N] with an equal value."""
    n_rows, n_samples = ordered.shape
    place = np.arange(n_samples)
    changes = ordered[:, 1:] != ordered[:, :-1]
    edge = np.ones((n_rows, 1), dtype=bool)
    first = np.maximum.accumulate(np.where(np.hstack([edge, changes]), place, 0), axis=1)
    last_here = np.where(np.hstack([changes, edge]), place, n_samples - 1)
    last = np.minimum.accumulate(last_here[:, ::-1], axis=1)[:, ::-1]
    return first, last


def _check(y_true: np.ndarray, score: np.ndarray) -> None:
    if y_true.ndim == 0 or score.ndim == 0 or y_true.shape[-1] != score.shape[-1]:
        raise ValueError(f"labels {list(y_true.shape)} and scores {list(score.shape)} differ in length")
    if y_true.shape[-1] == 0:
        raise ValueError("no samples: the AUC is not defined")
    if y_true.dtype != bool and not (np.issubdtype(y_true.dtype, np.number) and np.isin(y_true, (0, 1)).all()):
        raise ValueError("labels must be 0 and 1, or booleans")
    if not np.issubdtype(score.dtype, np.number) or np.iscomplexobj(score):
        raise ValueError(f"scores must be real numbers, not {score.dtype}")
    if np.isnan(score).any():
        raise ValueError(f"{int(np.isnan(score).sum())} scores are NaN")
    n_positive = (y_true == 1).sum(axis=-1)
    if (n_positive == 0).any() or (n_positive == y_true.shape[-1]).any():
        raise ValueError("labels hold one class only: the AUC is not defined")
