"""Classes that exclude each other taken as a question of yes or no."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BinaryView:
    """One class of a single-label task against all others taken together.

    Attributes:
        label: the class that stands alone.
        is_finding: True where it is what is looked for; False where it means healthy, and all others are looked for.
    """

    label: str
    is_finding: bool

    def positive(self, classes: np.ndarray, labels: Sequence[str]) -> np.ndarray:
        """Whether each of `classes` [N], places in `labels`, is what is looked for: bool [N]."""
        return (classes == labels.index(self.label)) == self.is_finding

    def score(self, scores: np.ndarray, labels: Sequence[str]) -> np.ndarray:
        """Probability [N] of what is looked for, from those of the classes [N, len(labels)]."""
        alone = scores[:, labels.index(self.label)]
        return alone if self.is_finding else 1.0 - alone
