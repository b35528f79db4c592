"""Predictions of one test set, lined up sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...foundation.errors import RefusedError

if TYPE_CHECKING:
    from ...tasks.predictions import Predictions


def lined_up(predictions: Sequence[Predictions]) -> list[Predictions]:
    """All with their rows in one order. Raises RefusedError where test sets, labels or truth differ."""
    first = predictions[0].aligned_with(predictions[0])[0]
    found = [first.aligned_with(each)[1] for each in predictions]
    if not all(_same_truth(first, each) for each in found):
        raise RefusedError("they disagree on the truth of their test samples")
    return found


def _same_truth(a: Predictions, b: Predictions) -> bool:
    try:
        one, other = (np.stack(each.table["truth"].to_list()).astype(np.float64) for each in (a, b))
    except (ValueError, TypeError):
        # Boxes and masks have no common shape.
        return a.table["truth"].map(repr).equals(b.table["truth"].map(repr))
    return np.array_equal(one, other, equal_nan=True)
