"""How often two models chose each pair of categories on the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def confusion_between(pred_a: np.ndarray, pred_b: np.ndarray, labels: Sequence[Any] | np.ndarray | int) -> np.ndarray:
    """Count, for every pair of categories, the samples to which a gave the first and b the second.

    With two arrays of correctness and labels [True, False] this is the table that `mcnemar_test` takes.

    Args:
        pred_a: [..., N] categories given by model a: numbers, booleans or strings; a is in rows.
        pred_b: [..., N] categories given by model b, in columns. Leading axes broadcast.
        labels: the K categories in their order in the table; a whole number K means 0 to K - 1.

    Returns int64 [..., K, K]; no samples give zeros. Time grows with N, not with N x K x K. Raises ValueError
    for values that are not among the labels (it names them), lengths that differ, no or repeated labels.
    """
    categories = _categories(labels)
    first, second = np.asarray(pred_a), np.asarray(pred_b)
    if first.ndim == 0 or second.ndim == 0 or first.shape[-1] != second.shape[-1]:
        raise ValueError(f"predictions {list(first.shape)} and {list(second.shape)} differ in length")
    k = len(categories)
    cell = _positions(first, categories, "pred_a") * k + _positions(second, categories, "pred_b")
    batch = cell.shape[:-1]
    n_tables = int(np.prod(batch))
    cell = cell.reshape(n_tables, cell.shape[-1]) + np.arange(n_tables)[:, None] * (k * k)
    return np.bincount(cell.ravel(), minlength=n_tables * k * k).reshape(*batch, k, k)


def _categories(labels: Sequence[Any] | np.ndarray | int) -> np.ndarray:
    if isinstance(labels, int | np.integer) and not isinstance(labels, bool):
        labels = np.arange(labels)
    categories = _plain(np.asarray(labels), "labels")
    if categories.ndim != 1 or categories.size == 0:
        raise ValueError("labels must be a list of at least one category")
    if categories.dtype.kind == "f" and np.isnan(categories).any():
        raise ValueError("labels must not be NaN")
    if len(np.unique(categories)) < len(categories):
        raise ValueError(f"labels are repeated: {categories.tolist()}")
    return categories


def _positions(predictions: np.ndarray, categories: np.ndarray, name: str) -> np.ndarray:
    """Place of every prediction among the categories."""
    k = len(categories)
    predictions = _plain(predictions, name)
    if predictions.size == 0:
        return np.zeros(predictions.shape, dtype=np.intp)
    if (predictions.dtype.kind == "U") != (categories.dtype.kind == "U"):
        # NumPy would compare 1 with "1" as text and find them equal.
        raise _unknown(predictions, name, categories)
    if predictions.dtype.kind in "iu" and np.array_equal(categories, np.arange(k)):
        inside = (predictions >= 0) & (predictions < k)
        if not inside.all():
            raise _unknown(predictions[~inside], name, categories)
        return predictions.astype(np.intp)
    order = np.argsort(categories)
    place = np.searchsorted(categories, predictions, sorter=order)
    found = order[np.minimum(place, k - 1)]
    inside = categories[found] == predictions
    if not inside.all():
        raise _unknown(predictions[~inside], name, categories)
    return found


def _plain(values: np.ndarray, name: str) -> np.ndarray:
    """Values as numbers, booleans or text; arrays of Python objects are turned into one of these."""
    if values.dtype.kind == "O":
        if all(isinstance(value, str) for value in values.flat):
            return values.astype(str)
        try:
            return values.astype(np.float64)
        except (TypeError, ValueError):
            raise ValueError(f"{name} must be all numbers, all booleans or all strings") from None
    if values.dtype.kind not in "biufU":
        raise ValueError(f"{name} must be numbers, booleans or strings, not {values.dtype}")
    return values


def _unknown(values: np.ndarray, name: str, categories: np.ndarray) -> ValueError:
    found = np.unique(values).tolist()
    shown = ", ".join(repr(value) for value in found[:5]) + (", ..." if len(found) > 5 else "")
    return ValueError(f"{name} holds values that are not in labels {categories.tolist()}: {shown}")
