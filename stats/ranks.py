"""Ranks of positives among negatives, in whole half-counts, and the checks before them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

# Values worked on at a time: what the steps after the sort touch stays in the processor's cache.
_BLOCK = 2**15


def checked_labels(y_true: np.ndarray) -> np.ndarray:
    """Labels [..., N] as booleans. Raises ValueError where they are not 0 and 1, or a row holds one class only."""
    y_true = np.asarray(y_true)
    if y_true.ndim == 0:
        raise ValueError(f"labels {list(y_true.shape)} have no length")
    if y_true.shape[-1] == 0:
        raise ValueError("no samples: the AUC is not defined")
    # Objects are not compared: some, such as pandas' NA, refuse to be.
    number = y_true.dtype == bool or np.issubdtype(y_true.dtype, np.number)
    positive = y_true == 1 if number else np.zeros(y_true.shape, dtype=bool)
    if not number or not (positive | (y_true == 0)).all():
        raise ValueError("labels must be 0 and 1, or booleans")
    n_positive = np.count_nonzero(positive, axis=-1)
    if np.any(n_positive == 0) or np.any(n_positive == y_true.shape[-1]):
        raise ValueError("labels hold one class only: the AUC is not defined")
    return positive


def checked_scores(score: np.ndarray, y_true: np.ndarray) -> np.ndarray:
    """Scores [..., N] as an array; ValueError where they are not real numbers, NaN, or not as many as the labels."""
    score, shape = np.asarray(score), np.shape(y_true)
    if score.ndim == 0 or not shape or shape[-1] != score.shape[-1]:
        raise ValueError(f"labels {list(shape)} and scores {list(score.shape)} differ in length")
    if not np.issubdtype(score.dtype, np.number) or np.iscomplexobj(score):
        raise ValueError(f"scores must be real numbers, not {score.dtype}")
    missing = np.isnan(score)
    if missing.any():
        raise ValueError(f"{np.count_nonzero(missing)} scores are NaN")
    return score


def half_wins(positive: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Placements of samples among those of the other class, as whole numbers.

    For a positive, how many negatives score below it; for a negative, how many positives score above it; both
    twice, so that a tie counts one. Divided by twice the size of the other class these are DeLong's placement
    values V10 and V01. Their sum over the positives is that over the negatives, and twice the number of pairs
    won.

    Args:
        positive: [..., N] booleans.
        score: [..., N] without NaN; leading axes broadcast.

    Returns integers [..., N].
    """
    return by_blocks(_half_wins_of_rows, positive, score)


def half_pairs(positive: np.ndarray, wins: np.ndarray) -> np.ndarray:
    """Sum of `half_wins` over the positives, int64 [...]: the AUC times twice the number of pairs."""
    return np.asarray(np.sum(wins * positive, axis=-1, dtype=np.int64))


def pairs(positive: np.ndarray) -> np.ndarray:
    """Number of pairs of a positive and a negative, int64 [...]."""
    n_positive = np.count_nonzero(positive, axis=-1)
    return np.asarray(n_positive) * (positive.shape[-1] - n_positive)


def by_blocks(function: Callable[..., np.ndarray], *arrays: np.ndarray, core: int = 1) -> np.ndarray:
    """Apply a function of [B, (core axes)] arrays to arrays with any leading axes, some rows at a time.

    Leading axes broadcast; the last `core` axes are the function's own. What it returns has a first axis B.
    """
    lead = np.broadcast_shapes(*(array.shape[:-core] for array in arrays))
    n_rows = math.prod(lead)
    step = max(1, _BLOCK // max(math.prod(array.shape[-core:]) for array in arrays))
    wide = [np.broadcast_to(array, lead + array.shape[-core:]) for array in arrays]
    if n_rows <= step:
        found = function(*(array.reshape((n_rows, *array.shape[-core:])) for array in wide))
    else:
        chosen = (np.unravel_index(np.arange(at, min(at + step, n_rows)), lead) for at in range(0, n_rows, step))
        found = np.concatenate([function(*(array[rows] for array in wide)) for rows in chosen])
    return found.reshape(lead + found.shape[1:])


def _half_wins_of_rows(positive: np.ndarray, score: np.ndarray) -> np.ndarray:
    n_rows, n_samples = score.shape
    # Half the memory traffic wherever twice a count fits.
    whole = np.int32 if n_samples < 2**30 else np.int64
    order = np.argsort(score, axis=1)
    order += np.arange(0, n_rows * n_samples, n_samples)[:, None]
    ordered_score, ordered_positive = np.take(score, order), np.take(positive, order)
    positives = np.cumsum(ordered_positive, axis=1, dtype=whole)
    changes = ordered_score[:, 1:] != ordered_score[:, :-1]
    # Twice the middle of a tie is a whole number: what stands before its first place and up to its last, added.
    if changes.all():
        twice_positives = 2 * positives - ordered_positive
        twice_places = np.arange(1, 2 * n_samples, 2, dtype=whole)
    else:
        first = np.flatnonzero(np.hstack([np.ones((n_rows, 1), dtype=bool), changes]))
        size = np.diff(first, append=n_rows * n_samples)
        before = positives.ravel()[first] - ordered_positive.ravel()[first]
        up_to_last = positives.ravel()[first + size - 1]
        twice_positives = np.repeat(before + up_to_last, size).reshape(n_rows, n_samples)
        twice_places = np.repeat((2 * (first % n_samples) + size).astype(whole), size).reshape(n_rows, n_samples)
    wins = np.empty(n_rows * n_samples, dtype=whole)
    wins[order] = np.where(ordered_positive, twice_places, 2 * positives[:, -1:]) - twice_positives
    return wins.reshape(n_rows, n_samples)
