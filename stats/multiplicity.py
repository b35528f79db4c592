"""p-values adjusted for the number of tests that were made."""

from __future__ import annotations

import numpy as np


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down adjusted p-values: comparing them with 0.05 keeps the chance of any false alarm below 5 %.

    Args:
        p: [..., M] p-values of one family along the last axis. NaN is a test that was not made: it stays NaN in its
            place and is not counted.

    Returns float64 of the same shape, never below p, at most 1. Raises ValueError for values outside 0 to 1.
    R: p.adjust(p, "holm"). Holm 1979.
    """
    ordered, order, made = _sorted_family(p)
    rank = np.arange(ordered.shape[-1])
    adjusted = np.maximum.accumulate(np.maximum(made - rank, 1) * ordered, axis=-1)
    return _in_place(np.minimum(adjusted, 1.0), order, np.shape(p))


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Benjamini and Hochberg's step-up adjusted p-values: those below q keep the share of false alarms below q.

    Args:
        p: [..., M] p-values of one family along the last axis. NaN is a test that was not made: it stays NaN in its
            place and is not counted.

    Returns float64 of the same shape, never below p, at most 1. Raises ValueError for values outside 0 to 1.
    R: p.adjust(p, "BH"). Benjamini and Hochberg 1995.
    """
    ordered, order, made = _sorted_family(p)
    rank = np.arange(1, ordered.shape[-1] + 1)
    # Tests not made were sorted to the end and must not be the least of those before them.
    scaled = np.where(np.isnan(ordered), np.inf, np.maximum(made / rank, 1.0) * ordered)
    least = np.minimum.accumulate(scaled[..., ::-1], axis=-1)[..., ::-1]
    adjusted = np.where(np.isnan(ordered), np.nan, np.minimum(least, 1.0))
    return _in_place(adjusted, order, np.shape(p))


def _sorted_family(p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """p in rising order with NaN last, the order, and the number [..., 1] of tests made."""
    values = np.atleast_1d(np.asarray(p, dtype=np.float64))
    wrong = (values < 0) | (values > 1)
    if wrong.any():
        raise ValueError(f"p-values must lie between 0 and 1: {values[wrong].flat[0]:g}")
    order = np.argsort(values, axis=-1, kind="stable")
    made = (~np.isnan(values)).sum(-1, keepdims=True)
    return np.take_along_axis(values, order, axis=-1), order, made


def _in_place(adjusted: np.ndarray, order: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    result = np.empty_like(adjusted)
    np.put_along_axis(result, order, adjusted, axis=-1)
    return result.reshape(shape)[()]
