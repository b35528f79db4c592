"""The interval of a paired difference, by patient and by replicate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from .influence import Scored

# Fewer differences say little of their own spread: Student's t is 12.7 wide for two, 4.3 for three, 2.8 for five.
REPLICATES_FOR_SPREAD = 5


@dataclass(frozen=True)
class PairedInterval:
    """New against baseline, the sign chosen so that higher is better.

    Attributes:
        difference: mean over replicates of new - baseline.
        low, high: ends of its two-sided interval; infinite where one patient or group is all there is.
    """

    difference: float
    low: float
    high: float


def paired_interval(baseline: Scored, new: Scored, higher_is_better: bool, level: float) -> PairedInterval:
    """The mean over replicates of new - baseline, with an interval that holds patients and replicates for random.

    The variance is that of two-way clustering (Cameron, Gelbach and Miller 2011): by patient, who is in the test set of
    every replicate, plus by replicate, less their overlap; never less than by patient alone. With fewer than
    REPLICATES_FOR_SPREAD replicates it is by patient alone: the interval is about these trained models then, and it is
    the margin that allows for the chance of training. Student's t, degrees of freedom after Satterthwaite.

    Args:
        baseline, new: the same replicates in the same order, of one test set.
        level: confidence, such as 0.95.

    Equal influences and values give exactly [0, 0].
    """
    sign = 1.0 if higher_is_better else -1.0
    differences = sign * (new.values - baseline.values)
    influences = sign * (new.influences - baseline.influences)
    by_patient, overlap = _by_patient(influences)
    return _interval(differences, by_patient, overlap, baseline.clusters, level)


def half_width(
    by_patient: np.ndarray | float, overlap: np.ndarray | float, differences: np.ndarray, clusters: int, level: float
) -> np.ndarray:
    """Half the width of the interval.

    Args:
        by_patient: variance of the mean difference over patients.
        overlap: the part of it that patients and replicates share.
        differences: [..., R], one a replicate.
        clusters: patients, or groups of them, at least 2.
    """
    replicates = differences.shape[-1]
    between = np.zeros(differences.shape[:-1])
    if replicates >= REPLICATES_FOR_SPREAD:
        between = np.maximum(differences.var(axis=-1, ddof=1) / replicates - overlap, 0.0)
    total = by_patient + between
    with np.errstate(invalid="ignore", divide="ignore"):
        df = total**2 / (by_patient**2 / (clusters - 1) + between**2 / max(replicates - 1, 1))
    # Nothing varies: the quantile does not matter, but must be a number.
    df = np.where(total > 0, df, 1.0)
    return special.stdtrit(df, (1 + level) / 2) * np.sqrt(total)


def _interval(
    differences: np.ndarray, by_patient: float, overlap: float, clusters: int, level: float
) -> PairedInterval:
    difference = float(differences.mean())
    if clusters < 2:
        alike = by_patient == 0 and not differences.any()
        return PairedInterval(difference, 0.0 if alike else -np.inf, 0.0 if alike else np.inf)
    half = float(half_width(by_patient, overlap, differences, clusters, level))
    return PairedInterval(difference, difference - half, difference + half)


def _by_patient(influences: np.ndarray) -> tuple[float, float]:
    """Variance over patients of the mean over replicates [R, P], and the part that replicates do not share."""
    replicates, clusters = influences.shape
    centred = influences - influences.mean(axis=1, keepdims=True)
    correction = clusters / max(clusters - 1, 1)
    by_patient = correction * (centred.mean(axis=0) ** 2).sum()
    overlap = correction * (centred**2).sum() / replicates**2
    return float(by_patient), float(overlap)
