"""DeLong's test, covariance and interval of areas under the ROC curve, clustered where samples share a patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from .arguments import check_level
from .influence import clusters_of, covariance, why_undefined
from .ranks import by_blocks, checked_labels, checked_scores, half_pairs, half_wins, pairs
from .result import TestResult
from .tails import two_sided_normal


@dataclass(frozen=True)
class DeLongResult(TestResult):
    """A comparison of two AUCs; for a batch, arrays over the batch's axes.

    Attributes:
        auc_a, auc_b: the two areas, given also where the test is not defined.
        se: standard error of their difference; 0 where it has no variance.
    """

    auc_a: Any = float("nan")
    auc_b: Any = float("nan")
    se: Any = float("nan")


@dataclass(frozen=True)
class AucCovariance:
    """AUCs of K models on the same samples, and how they vary together.

    Attributes:
        auc: [..., K].
        covariance: [..., K, K] of the AUCs (their variances on the diagonal, already divided by the numbers of
            samples); NaN where `degenerate`.
        n: samples.
        degenerate: None, or why there is no covariance; an object array [...] for a batch.
    """

    auc: np.ndarray
    covariance: np.ndarray
    n: int
    degenerate: Any


def delong_test(
    y_true: np.ndarray,
    score_a: np.ndarray,
    score_b: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    level: float = 0.95,
) -> DeLongResult:
    """Two-sided paired test of equal AUCs of two models on the same samples.

    DeLong, DeLong and Clarke-Pearson, Biometrics 1988, 44:837. With groups, Obuchowski, Biometrics 1997, 53:567:
    placement values are summed by group, with the factor I / (I - 1) of the I10 groups that hold a positive for
    the positives' part, of the I01 that hold a negative for the negatives', and of all I groups for the
    covariance of the two inside a group. Where every sample is a group of its own this is DeLong's test exactly;
    samples repeated inside their groups change nothing.

    The variance is that of the difference itself, from whole numbers of placements, so that identical models
    (or any that rank alike) give exactly 0 and 1.

    Degenerate cases, flagged in `degenerate`:
        no variance of the difference: AUCs equal, statistic 0 and p 1; AUCs that differ, statistic +-inf, p 0,
            log10_p -inf; the interval is a point.
        one positive or one negative only (with groups: positives, or negatives, in one group only): AUCs and
            estimate given, statistic, p, se and interval NaN.

    Args:
        y_true: [..., N] of 0 and 1, or booleans.
        score_a, score_b: [..., N], higher is more positive; infinite scores are ranked. Leading axes (labels,
            replicates, pairs of models) broadcast, and every array is sorted once, before it is broadcast.
        groups: [N] ids of what samples belong to (patients): integers or strings, the same for the whole batch.
        level: of the interval of the difference, auc_a - auc_b -+ z se (not cut at -1 and 1).

    Returns a DeLongResult: estimate auc_a - auc_b, statistic z, df infinite. Raises ValueError for other labels,
    one class only, NaN scores, lengths that differ, no samples, groups that are missing or not [N].
    """
    z_level = z_of(level)
    score_a, score_b = checked_scores(score_a, y_true), checked_scores(score_b, y_true)
    positive = checked_labels(y_true)
    clusters = clusters_of(groups, positive.shape[-1])
    wins_a, wins_b = half_wins(positive, score_a), half_wins(positive, score_b)

    def variance_of_rows(positive: np.ndarray, wins_a: np.ndarray, wins_b: np.ndarray) -> np.ndarray:
        return covariance(positive, (wins_a - wins_b)[:, None], clusters)[:, 0, 0]

    variance = by_blocks(variance_of_rows, positive, wins_a, wins_b)
    pairs_a, pairs_b, half_counts = half_pairs(positive, wins_a), half_pairs(positive, wins_b), 2 * pairs(positive)
    estimate = (pairs_a - pairs_b) / half_counts
    reason = np.broadcast_to(why_undefined(positive, clusters), estimate.shape)
    return wald_test(
        estimate, variance, reason, z_level, positive.shape[-1], pairs_a / half_counts, pairs_b / half_counts
    )


def delong_covariance(y_true: np.ndarray, scores: np.ndarray, groups: np.ndarray | None = None) -> AucCovariance:
    """AUCs of K models on the same samples and their covariance: DeLong 1988; with groups Obuchowski 1997.

    The variance of a model that separates the classes perfectly is exactly 0.

    Args:
        y_true: [..., N] of 0 and 1, or booleans.
        scores: [..., K, N], higher is more positive; infinite scores are ranked. Leading axes (labels) broadcast.
        groups: [N] ids of patients, integers or strings.

    Degenerate: with one positive or one negative only (with groups: positives, or negatives, in one group
    only) AUCs are given, covariances NaN, and `degenerate` says so. Raises ValueError as `delong_test`.
    """
    scores = checked_scores(scores, y_true)
    if scores.ndim < 2:
        raise ValueError(f"scores {list(scores.shape)} must be [..., models, samples]")
    positive = checked_labels(y_true)
    clusters = clusters_of(groups, positive.shape[-1])
    each = positive[..., None, :]
    wins = half_wins(each, scores)

    def covariance_of_rows(positive: np.ndarray, wins: np.ndarray) -> np.ndarray:
        return covariance(positive[:, 0], wins, clusters)

    areas = half_pairs(each, wins) / (2 * pairs(each))
    found = by_blocks(covariance_of_rows, each, wins, core=2)
    reason = np.broadcast_to(why_undefined(positive, clusters), found.shape[:-2])
    return AucCovariance(areas, _known(found, reason[..., None, None]), positive.shape[-1], reason[()])


def delong_ci(
    y_true: np.ndarray,
    score: np.ndarray,
    level: float = 0.95,
    groups: np.ndarray | None = None,
    *,
    method: str = "normal",
) -> TestResult:
    """Confidence interval of an AUC from its DeLong (with groups: Obuchowski) variance.

    Args:
        y_true: [..., N] of 0 and 1, or booleans.
        score: [..., N]; leading axes broadcast.
        level: of the interval, in (0, 1).
        groups: [N] ids of patients, integers or strings.
        method: `normal`, auc -+ z se cut at 0 and 1, as pROC's ci.auc; or `logit`, the same on the scale of
            log(auc / (1 - auc)) with the standard error se / (auc (1 - auc)), which stays inside by itself.

    Returns a TestResult: estimate is the AUC. An interval only: statistic, df and p are NaN. An AUC with no
    variance (perfect separation, or all scores equal) has a point as its interval and is flagged; one positive
    or one negative only (with groups: in one group only) has NaN ends and is flagged. Raises ValueError as
    `delong_test`, and for another method.
    """
    z_level = z_of(level)
    if method not in ("normal", "logit"):
        raise ValueError(f"method must be 'normal' or 'logit', not {method!r}")
    score = checked_scores(score, y_true)
    found = delong_covariance(y_true, score[..., None, :], groups)
    area, variance = found.auc[..., 0], found.covariance[..., 0, 0]
    half = z_level * np.sqrt(variance)
    if method == "normal":
        low, high = np.clip(area - half, 0, 1), np.clip(area + half, 0, 1)
    else:
        # An area of 0 or 1 has no variance, or none to be had: a point, set below, or NaN.
        spread = np.divide(half, area * (1 - area), out=np.full_like(half, np.nan), where=area * (1 - area) > 0)
        low, high = special.expit(special.logit(area) - spread), special.expit(special.logit(area) + spread)
    fixed = variance == 0
    low, high = np.where(fixed, area, low), np.where(fixed, area, high)
    reason = np.where(fixed, np.array("no variance", dtype=object), found.degenerate)
    return TestResult(estimate=area[()], ci_low=low[()], ci_high=high[()], n=found.n, degenerate=reason[()])


def wald_test(
    estimate: np.ndarray,
    variance: np.ndarray,
    reason: np.ndarray,
    z_level: float,
    n_samples: int,
    auc_a: np.ndarray,
    auc_b: np.ndarray,
) -> DeLongResult:
    """Normal test of a difference of AUCs whose variance is known; a `reason` (objects) makes it NaN and flags it."""
    estimate, variance = np.asarray(estimate), _known(variance, reason)
    se = np.sqrt(variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where((variance == 0) & (estimate == 0), 0.0, estimate / se)
    p_value, log10_p = two_sided_normal(z)
    fixed = np.where(estimate == 0, "no variance of the difference, equal AUCs", "no variance of the difference")
    return DeLongResult(
        statistic=z[()],
        df=np.full(z.shape, np.inf)[()],
        p_value=p_value[()],
        log10_p=log10_p[()],
        estimate=estimate[()],
        ci_low=(estimate - z_level * se)[()],
        ci_high=(estimate + z_level * se)[()],
        n=n_samples,
        degenerate=np.where(variance == 0, fixed.astype(object), reason)[()],
        auc_a=np.broadcast_to(auc_a, z.shape)[()],
        auc_b=np.broadcast_to(auc_b, z.shape)[()],
        se=se[()],
    )


def z_of(level: float) -> float:
    """How many standard errors an interval of this level reaches to each side."""
    check_level(level)
    return float(special.ndtri((1 + level) / 2))


def _known(variance: np.ndarray, reason: np.ndarray) -> np.ndarray:
    return np.where(reason.astype(bool), np.nan, variance)
