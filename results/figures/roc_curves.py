"""ROC curves, and their mean over labels and replicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# More points than a figure of 8 cm has dots at 300 dpi.
MOST_POINTS = 2000


@dataclass(frozen=True)
class RocCurve:
    """Points of a ROC curve, joined by straight lines from (0, 0) to (1, 1).

    Attributes:
        false_positives: rates [P], not falling.
        true_positives: rates [P], not falling.
    """

    false_positives: np.ndarray
    true_positives: np.ndarray

    @property
    def area(self) -> float:
        """By trapezoids."""
        return float(np.trapezoid(self.true_positives, self.false_positives))


def roc_curve(positive: np.ndarray, score: np.ndarray) -> RocCurve:
    """The curve of scores, higher being more positive: a point a distinct score, corners alone kept.

    Args:
        positive: bool [N], both values there.
        score: [N], without NaN.

    Its area is the AUC: samples of equal scores make a slope, which counts them half.
    """
    order = np.argsort(-score, kind="stable")
    ordered, is_positive = score[order], positive[order]
    last_of_level = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)
    hits = np.concatenate([[0], np.cumsum(is_positive)[last_of_level]])
    alarms = np.concatenate([[0], np.cumsum(~is_positive)[last_of_level]])
    corners = _corners(alarms, hits)
    return RocCurve(alarms[corners] / alarms[-1], hits[corners] / hits[-1])


def mean_curve(curves: Sequence[RocCurve]) -> RocCurve:
    """The vertical average: at each rate of false positives the mean of the curves' rates of true positives.

    Vertical averaging as in Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 2006, 27:861,
    here at every rate where a curve bends and at both ends of its steps, so that the area is the mean of the areas.
    Above MOST_POINTS such rates it is taken at that many even ones, for drawing.

    Raises ValueError without curves.
    """
    if not curves:
        raise ValueError("no curves to average")
    if len(curves) == 1:
        return curves[0]
    rates = np.unique(np.concatenate([curve.false_positives for curve in curves]))
    if len(rates) > MOST_POINTS:
        rates = np.linspace(0.0, 1.0, MOST_POINTS + 1)
    before, after = np.mean([_at(curve, rates) for curve in curves], axis=0)
    return RocCurve(np.repeat(rates, 2), np.stack([before, after], axis=1).reshape(-1))


def _corners(alarms: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """Places of the points of a curve, in counts, that do not lie on the line between their neighbours."""
    across, up = np.diff(alarms), np.diff(hits)
    bends = across[1:] * up[:-1] != across[:-1] * up[1:]
    return np.concatenate([[0], 1 + np.flatnonzero(bends), [len(alarms) - 1]])


def _at(curve: RocCurve, rates: np.ndarray) -> np.ndarray:
    """True positives [2, R] at `rates`: where the curve rises straight up, those of its lower and of its upper end."""
    x, y = curve.false_positives, curve.true_positives
    lower, upper = np.searchsorted(x, rates, side="left"), np.searchsorted(x, rates, side="right") - 1
    before = np.maximum(lower - 1, 0)
    width = x[lower] - x[before]
    share = np.divide(rates - x[before], width, out=np.zeros_like(rates), where=width > 0)
    between = y[before] + share * (y[lower] - y[before])
    return np.where(x[lower] == rates, np.stack([y[lower], y[upper]]), between)
