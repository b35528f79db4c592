"""Why a test's numbers are a convention."""

from __future__ import annotations

from typing import Any

import numpy as np


def first_reason(*cases: tuple[np.ndarray | np.bool_ | bool, str]) -> Any:
    """For masks of one shape [...], each with a reason: the first that holds, or None; an object array for a batch."""
    reasons = np.full(np.shape(cases[0][0]), None, dtype=object)
    for mask, words in reversed(cases):
        reasons[mask] = words
    return reasons[()]
