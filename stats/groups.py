"""Which group (patient) every sample belongs to, as numbers; none may be missing."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np


def group_codes(groups: np.ndarray | Sequence[object], n_samples: int) -> np.ndarray:
    """Number of every sample's group, [N] from 0 to I - 1 in the order of their ids.

    Args:
        groups: [N] ids: strings, or numbers (booleans too); an array, a list, a pandas Series or categorical.
        n_samples: N.

    Raises ValueError for another shape, ids that are missing (None, NaN, NaT, pandas' NA, masked), and numbers mixed
    with strings.
    """
    # Made an array of one type, a list with a NaN among strings would get a patient called "nan".
    ids = np.asarray(groups) if hasattr(groups, "dtype") else np.array(groups, dtype=object)
    if ids.shape != (n_samples,):
        raise ValueError(f"groups {list(ids.shape)} must be one for each of the {n_samples} samples")
    n_missing = np.count_nonzero(_missing(ids))
    if np.ma.isMaskedArray(groups):
        n_missing += np.ma.count_masked(groups)
    if n_missing:
        raise ValueError(f"{n_missing} groups are missing (None, NaN, NaT or NA): every sample needs one")
    if ids.dtype == object:
        ids = _of_one_kind(ids)
    return np.unique(ids, return_inverse=True)[1].reshape(-1)


def _missing(ids: np.ndarray) -> np.ndarray:
    if ids.dtype != object:
        return np.asarray(ids != ids)
    return np.fromiter(map(_is_missing, ids), dtype=bool, count=len(ids))


def _is_missing(value: Any) -> bool:
    # NaN and NaT differ from themselves; whether NA does, pandas does not say: its bool() is an error.
    try:
        return value is None or bool(value != value)
    except TypeError:
        return True


def _of_one_kind(ids: np.ndarray) -> np.ndarray:
    """Objects as strings, or as they are where all are numbers or all of one other type."""
    kinds = {_kind(value) for value in ids}
    if len(kinds) > 1:
        raise ValueError("groups must be all numbers or all strings, not a mixture")
    try:
        # Sorting tells whether they have an order at all.
        return ids.astype(str) if kinds == {str} else np.unique(ids, return_inverse=True)[1]
    except (TypeError, ValueError):
        raise ValueError(f"groups of type {kinds.pop().__name__} have no order: give numbers or strings") from None


def _kind(value: object) -> type:
    return str if isinstance(value, str) else float if isinstance(value, Real | np.bool_) else type(value)
