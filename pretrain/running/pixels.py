"""Images of several datasets under one numbering, one dataset after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ...data.images import Images


def pixels_of(parts: Sequence[Images], rows: np.ndarray) -> np.ndarray:
    """The images of `rows` [B] as they lie in the caches of `parts`, which have one size: uint8 [B, S, S]."""
    if len(parts) == 1:
        return parts[0].batch(rows)
    size = parts[0].size
    found = np.empty((len(rows), size, size), dtype=np.uint8)
    ends = np.cumsum([len(each) for each in parts])
    which = np.searchsorted(ends, rows, side="right")
    for number in np.unique(which).tolist():
        mine = which == number
        found[mine] = parts[number].batch(rows[mine] - (ends[number] - len(parts[number])))
    return found
