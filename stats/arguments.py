"""Checks of arguments that many tests take."""

from __future__ import annotations

import numpy as np


def check_level(level: float) -> None:
    """Raise ValueError for a level of a test or interval that is not above 0 and below 1."""
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level}")


def finite_scores(values: np.ndarray, name: str) -> np.ndarray:
    """Scores [..., n] as float64. Raises ValueError, by their name, for one number alone and what is not finite."""
    values = np.asarray(values)
    if values.ndim == 0:
        raise ValueError(f"{name} must be an array of scores, not one number")
    if not (np.issubdtype(values.dtype, np.number) or values.dtype == bool) or np.iscomplexobj(values):
        raise ValueError(f"{name} must be real numbers, not {values.dtype}")
    values = values.astype(np.float64)
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise ValueError(f"{name} holds {bad} values that are not finite numbers")
    return values
