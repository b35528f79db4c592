"""One measured rate: how often a test rejected, or an interval held the truth, over simulated experiments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

LEVEL = 0.05
Kind = Literal["false alarms", "power", "coverage", "misused"]


@dataclass(frozen=True)
class Measured:
    """A rate over simulated experiments.

    Attributes:
        family: heading it stands under.
        test: what was tested with.
        setting: of the simulation.
        kind: false alarms (nothing differs), power (something does), coverage of a 95 % interval, or a test
            that is used for what it is not made for.
        hits: experiments that were rejected, or whose interval held the truth.
        experiments: how many were made.
        expected: what the rate should be.
        by: who says so: `nominal`, or the theory.
    """

    family: str
    test: str
    setting: str
    kind: Kind
    hits: int
    experiments: int
    expected: float
    by: str = "nominal"

    @property
    def rate(self) -> float:
        return self.hits / self.experiments

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper and Pearson's exact 95 % interval of the rate."""
        found = stats.binomtest(self.hits, self.experiments).proportion_ci(0.95, "exact")
        return float(found.low), float(found.high)

    @property
    def verdict(self) -> str:
        """`as stated`, or which way the rate is off by more than chance and by more than a fifth of the error rate.

        For power, off means by more than chance and 0.05: theory there is asymptotic.
        """
        low, high = self.interval
        slack = 0.05 if self.kind == "power" else LEVEL / 5
        if low <= self.expected <= high or abs(self.rate - self.expected) <= slack:
            return "as stated"
        too_often = self.rate > self.expected
        if self.kind == "power":
            return "above theory" if too_often else "below theory"
        if self.kind == "coverage":
            return "too wide" if too_often else "too narrow"
        return "liberal" if too_often else "conservative"


def false_alarms(family: str, test: str, setting: str, p_value: np.ndarray, kind: Kind = "false alarms") -> Measured:
    """Rejections at 5 % among experiments without a difference; p-values [E], NaN never rejects."""
    return Measured(family, test, setting, kind, int((p_value < LEVEL).sum()), len(p_value), LEVEL)


def power_of(family: str, test: str, setting: str, p_value: np.ndarray, expected: float, by: str) -> Measured:
    """Rejections at 5 % among experiments with a known difference, beside what theory expects."""
    return Measured(family, test, setting, "power", int((p_value < LEVEL).sum()), len(p_value), float(expected), by)


def coverage(family: str, test: str, setting: str, low: np.ndarray, high: np.ndarray, truth: float) -> Measured:
    """How many of the intervals [E] hold the truth; NaN ends do not."""
    inside = (low <= truth) & (truth <= high)
    return Measured(family, test, setting, "coverage", int(inside.sum()), len(inside), 1 - LEVEL)


def normal_power(difference: float, standard_error: float) -> float:
    """Power of a two-sided normal test at 5 % of a difference with this true standard error."""
    critical, shift = stats.norm.isf(LEVEL / 2), abs(difference) / standard_error
    return float(stats.norm.sf(critical - shift) + stats.norm.cdf(-critical - shift))
