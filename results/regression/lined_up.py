"""Predictions of one test set, lined up sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...tasks.predictions import Predictions


def lined_up(predictions: Sequence[Predictions]) -> list[Predictions]:
    """All with their rows in one order. Raises RefusedError where test sets, labels or truth differ."""
    return [predictions[0].aligned_with(each)[1] for each in predictions]
