"""Wilcoxon's signed rank test of paired scores."""

from __future__ import annotations

import numpy as np
from scipy import special

from .arguments import check_level, finite_scores
from .reasons import first_reason
from .result import TestResult
from .sign_flips import LARGEST_EXACT, sign_flip_p, sum_distribution
from .tails import two_sided_normal

# R's limit: below it the exact distribution is the default.
_EXACT_BELOW = 50
# Up to here all pairs' averages are written out; beyond, they are counted without being written out.
_ALL_AVERAGES = 1000


def wilcoxon_test(
    a: np.ndarray, b: np.ndarray, *, exact: bool | None = None, correction: bool = True, level: float = 0.95
) -> TestResult:
    """Two-sided Wilcoxon signed rank test of a - b, as R's wilcox.test(paired=TRUE).

    The statistic is V, the sum of the ranks of |a - b| where a - b is positive, ties sharing their middle rank;
    pairs without a difference are dropped, and `n` counts those that are left. Ties and zeros are what the floats
    say: round the scores before where they carry noise.

    The estimate is the Hodges-Lehmann pseudo-median: the median of the averages of all pairs of differences (each
    with itself too, zeros included). The interval's ends are order statistics of those averages, by the distribution
    without ties, exact or normal as p is; NaN where there are too few pairs for the level (below 6 at 95 %). Without
    ties and zeros and below 50 pairs, estimate and interval are R's; elsewhere R interpolates and differs a little.

    Args:
        a: [..., n] scores; leading axes broadcast.
        b: [..., n] scores of the same units.
        exact: None takes the exact distribution where fewer than 50 pairs are left and none of them is tied or was
            dropped (R's default), the normal approximation elsewhere. True takes the exact distribution always: with
            ties, that of the middle ranks at hand under random signs, which R lacks and its package coin has.
        correction: continuity correction of the normal approximation.
        level: of the confidence interval.

    All differences zero: statistic 0, p 1, interval [0, 0], flagged. Raises ValueError for no pairs, values that are
    not finite, lengths that differ, or an exact distribution of more than 1,000 pairs.
    """
    a, b = finite_scores(a, "a"), finite_scores(b, "b")
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"a {list(a.shape)} and b {list(b.shape)} differ in length")
    if a.shape[-1] == 0:
        raise ValueError("no pairs: the signed rank test is not defined")
    check_level(level)
    with np.errstate(over="ignore"):
        differences = finite_scores(a - b, "a - b")
    shape, n = differences.shape[:-1], differences.shape[-1]
    rows = differences.reshape(-1, n)
    doubled, ties = doubled_ranks(np.abs(rows))
    n_left = (rows != 0).sum(axis=1)
    twice_v = np.where(rows > 0, doubled, 0).sum(axis=1)
    by_count = np.full(len(rows), bool(exact))
    if exact is None:
        by_count = (n_left < _EXACT_BELOW) & (n_left == n) & (ties == 0)
    p_value, log10_p = _normal_p(twice_v / 2, n_left, ties, correction)
    if by_count.any():
        p_value[by_count], log10_p[by_count] = sign_flip_p(doubled[by_count], twice_v[by_count])
    none_left = n_left == 0
    p_value[none_left], log10_p[none_left] = 1.0, 0.0
    estimate, ci_low, ci_high = _pseudo_median(rows, by_count, level)
    degenerate = first_reason((none_left, "all differences are zero"))
    found = (twice_v / 2, np.full(len(rows), np.nan), p_value, log10_p, estimate, ci_low, ci_high, n_left, degenerate)
    return TestResult(*(values.reshape(shape)[()] for values in found))


def doubled_ranks(magnitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Twice the middle ranks [B, n] of rows, whole numbers, 0 for zeros; and sum over ties of t^3 - t [B]."""
    n_rows, n = magnitude.shape
    order = np.argsort(magnitude, axis=1)
    ordered = np.take_along_axis(magnitude, order, axis=1)
    place = np.arange(n)
    edge = np.ones((n_rows, 1), dtype=bool)
    changes = ordered[:, 1:] != ordered[:, :-1]
    first = np.maximum.accumulate(np.where(np.hstack([edge, changes]), place, 0), axis=1)
    last = np.where(np.hstack([changes, edge]), place, n)
    last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    zero = ordered == 0
    # Zeros stand first, and the ranks of the others count from 1 behind them.
    in_order = np.where(zero, 0, first + last + 2 - 2 * zero.sum(axis=1, keepdims=True))
    doubled = np.empty_like(in_order)
    np.put_along_axis(doubled, order, in_order, axis=1)
    # Every member of a tie of t adds t^2 - 1.
    ties = np.where(zero, 0, (last - first + 1) ** 2 - 1).sum(axis=1)
    return doubled, ties


def _normal_p(v: np.ndarray, n: np.ndarray, ties: np.ndarray, correction: bool) -> tuple[np.ndarray, np.ndarray]:
    n = n.astype(np.float64)
    away = v - n * (n + 1) / 4
    if correction:
        away = away - np.sign(away) * 0.5
    with np.errstate(divide="ignore", invalid="ignore"):
        return two_sided_normal(away / np.sqrt(n * (n + 1) * (2 * n + 1) / 24 - ties / 48))


def _pseudo_median(rows: np.ndarray, by_count: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Median of all pairs' averages [B], and the ends of its interval [B]."""
    n = rows.shape[1]
    n_averages = n * (n + 1) // 2
    # How many averages lie outside each end of the interval; below 0 where no interval reaches the level.
    outside = np.where(by_count, _exact_outside(n, level) if by_count.any() else 0, _normal_outside(n, level))
    reached = outside >= 0
    cut = np.maximum(outside, 0)
    wanted = np.stack(
        [np.full(len(rows), (n_averages - 1) // 2), np.full(len(rows), n_averages // 2), cut, n_averages - 1 - cut],
        axis=1,
    )
    if n <= _ALL_AVERAGES:
        found = np.empty(wanted.shape)
        i, j = np.triu_indices(n)
        step = max(1, 4_000_000 // n_averages)
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            averages = np.sort(part[:, i] / 2 + part[:, j] / 2, axis=1)
            found[start : start + step] = np.take_along_axis(averages, wanted[start : start + step], axis=1)
    else:
        found = np.array(
            [[_average_at(np.sort(row), place) for place in places] for row, places in zip(rows, wanted, strict=True)]
        )
    low, high = (np.where(reached, found[:, end], np.nan) for end in (2, 3))
    same = ~rows.any(axis=1)
    return found[:, :2].mean(axis=1), np.where(same, 0.0, low), np.where(same, 0.0, high)


def _average_at(ordered: np.ndarray, place: int) -> float:
    """The average at a place (from 0) among the sorted averages of all pairs, by halving the range of values."""
    half = ordered / 2
    low, high = ordered[0], ordered[-1]
    index = np.arange(len(ordered))
    # The averages themselves are no finer than this.
    finest = np.finfo(np.float64).eps * max(abs(low), abs(high))
    while high / 2 - low / 2 > finest / 2:
        middle = low / 2 + high / 2
        if middle <= low or middle >= high:
            break
        # Pairs (i, j >= i) whose average is at most the middle.
        count = np.maximum(np.searchsorted(half, middle - half, side="right") - index, 0).sum()
        low, high = (low, middle) if count > place else (middle, high)
    return float(high)


def _exact_outside(n: int, level: float) -> int:
    """Averages to leave out at each end, by the exact distribution; -1 where the level is out of reach."""
    if n > LARGEST_EXACT:
        return _normal_outside(n, level)
    below = np.cumsum(sum_distribution(np.arange(1, n + 1)))
    return int(np.searchsorted(below, (1 - level) / 2, side="right")) - 1


def _normal_outside(n: int, level: float) -> int:
    sd = np.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    return max(int(np.floor(n * (n + 1) / 4 - special.ndtri((1 + level) / 2) * sd)), -1)
