"""Tables of counts of two raters' categories, checked before a test uses them."""

from __future__ import annotations

import numpy as np


def square_counts(table: np.ndarray, n_categories: int | None = None) -> np.ndarray:
    """Counts [..., K, K] as float64; ValueError for what is not square, empty, whole, finite and at least 0."""
    counts = np.asarray(table)
    if counts.ndim < 2 or counts.shape[-1] != counts.shape[-2]:
        raise ValueError(f"a table of counts must be square, not {list(counts.shape)}")
    if counts.shape[-1] == 0:
        raise ValueError("the table of counts has no categories")
    if n_categories is not None and counts.shape[-1] != n_categories:
        raise ValueError(f"the table must be {n_categories} x {n_categories}, not {list(counts.shape)}")
    if counts.dtype.kind not in "biuf":
        raise ValueError(f"counts must be whole numbers, not {counts.dtype}")
    counts = counts.astype(np.float64)
    if np.isnan(counts).any():
        raise ValueError(f"{int(np.isnan(counts).sum())} counts are NaN")
    if (counts < 0).any():
        raise ValueError(f"counts must not be negative: {counts.min():g}")
    if np.isinf(counts).any() or (counts != np.floor(counts)).any():
        raise ValueError("counts must be whole numbers, not fractions or infinite")
    return counts
