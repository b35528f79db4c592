"""McNemar's test of two proportions on the same samples, plain and with samples clustered by patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from .arguments import check_level
from .counts import square_counts
from .groups import group_codes
from .paired_proportions import tango_interval
from .reasons import first_reason
from .result import TestResult
from .sign_flips import sign_flip_p
from .tails import upper_chi_squared

# Below this many discordant pairs, or clusters that differ, chi-squared is left for the exact test.
_EXACT_BELOW = 25
_TINY = 1e-290


@dataclass(frozen=True)
class McNemarResult(TestResult):
    """McNemar's test of one table, or of each table of a batch.

    Attributes:
        only_a: pairs of which a alone has the first category; with [right, wrong], only a is right.
        only_b: pairs of which b alone has it.
        exact: whether p is binomial; `df` is NaN there, and `statistic` is still the chi-squared one.
    """

    only_a: Any = 0
    only_b: Any = 0
    exact: Any = False


@dataclass(frozen=True)
class ClusteredMcNemarResult(TestResult):
    """McNemar's test over clusters; `n` counts samples.

    Attributes:
        only_a: samples that a alone got right.
        only_b: samples that b alone got right.
        n_clusters: clusters (patients) with at least one sample counted.
        exact: whether p is by sign flips; `df` is NaN there, and `statistic` is still the chi-squared one.
    """

    only_a: Any = 0
    only_b: Any = 0
    n_clusters: Any = 0
    exact: Any = False


def mcnemar_test(
    table: np.ndarray, exact: bool | None = None, correction: bool = False, level: float = 0.95
) -> McNemarResult:
    """McNemar's test: does a have the first category as often as b, on the same samples?

    The samples must be independent; where several come from one patient, use `clustered_mcnemar_test`.
    `estimate` is (n_01 - n_10) / n, the proportion of a less that of b, with Tango's score interval (1998). At
    level 0.95 it leaves out 0 exactly where the uncorrected chi-squared p is below 0.05.

    Args:
        table: [..., 2, 2] counts, a in rows, b in columns: `confusion_between(right_a, right_b, [True, False])`.
        exact: binomial p instead of chi-squared; None: where fewer than 25 pairs are discordant. R: binom.test.
        correction: Edwards' continuity correction of the chi-squared statistic. R: mcnemar.test(correct = TRUE).
        level: of the interval, between 0 and 1.

    Degenerate, flagged: no discordant pair: statistic 0, p 1; with no pair at all, estimate and interval are NaN
    too. Raises ValueError for tables that are not 2 x 2, and for counts that are negative, NaN or not whole.
    """
    counts = square_counts(table, 2)
    only_a, only_b = counts[..., 0, 1], counts[..., 1, 0]
    discordant, n = only_a + only_b, counts.sum((-1, -2))
    none = discordant == 0
    distance = np.abs(only_a - only_b)
    if correction:
        distance = np.maximum(distance - 1, 0)
    statistic = distance**2 / np.where(none, 1, discordant)
    is_exact = np.broadcast_to(discordant < _EXACT_BELOW if exact is None else bool(exact), none.shape)
    by_chi_squared, by_binomial = upper_chi_squared(statistic, 1), _binomial_two_sided(only_a, only_b)
    low, high = tango_interval(only_a, only_b, n, level)
    return McNemarResult(
        statistic=statistic[()],
        df=np.where(is_exact, np.nan, 1.0)[()],
        p_value=np.where(is_exact, by_binomial[0], by_chi_squared[0])[()],
        log10_p=np.where(is_exact, by_binomial[1], by_chi_squared[1])[()],
        estimate=np.divide(only_a - only_b, n, out=np.full_like(n, np.nan), where=n > 0)[()],
        ci_low=low[()],
        ci_high=high[()],
        n=n.astype(np.int64)[()],
        degenerate=first_reason((n == 0, "no counts"), (none, "no discordant pair")),
        only_a=only_a.astype(np.int64)[()],
        only_b=only_b.astype(np.int64)[()],
        exact=is_exact[()],
    )


def clustered_mcnemar_test(
    correct_a: np.ndarray,
    correct_b: np.ndarray,
    groups: np.ndarray,
    known: np.ndarray | None = None,
    level: float = 0.95,
    *,
    exact: bool | None = None,
) -> ClusteredMcNemarResult:
    """McNemar's test on correctness where several samples come from one patient: is a right as often as b?

    With d_c the sum over cluster c of (a right) - (b right), the statistic (sum d_c)^2 / sum d_c^2 is
    chi-squared with 1 df (Obuchowski 1998 in the score form of Yang, Sun and Hardin 2010). Clusters of one
    sample give the uncorrected McNemar statistic to the bit. It needs many clusters that differ (d_c not 0), not
    many samples. Where they are few, p is the exact one of |sum d_c| under random signs of the |d_c|: either model
    may as well have been the better one in each cluster. Where no |d_c| is above 1 that is McNemar's exact p.

    `estimate` is accuracy of a less accuracy of b over samples. The interval inverts the chi-squared test, whatever
    p is: it holds every difference that this test, with d_c less n_c times that difference, does not reject, and
    leaves out 0 exactly where the chi-squared p is below 1 - level. The exact p is mostly larger: where p and
    interval do not agree on 0, p decides. Where a few clusters hold most of the samples the interval is [-1, 1].

    Args:
        correct_a: [..., N] booleans, or 0 and 1. Leading axes broadcast.
        correct_b: [..., N] of the same samples.
        groups: [N] patient of every sample: numbers or strings.
        known: [..., N] booleans; samples that are False are left out (labels that are missing).
        level: of the interval, between 0 and 1.
        exact: p by sign flips instead of chi-squared; None: where fewer than 25 clusters differ.

    Degenerate, flagged: no discordant sample: statistic 0, p 1, and an interval of +-z^2 / (G + z^2) for G clusters;
    discordant samples that cancel within every cluster: the same. One cluster, or no known sample: statistic, p and
    interval NaN. Raises ValueError for lengths that differ, no samples, other values, groups that are missing, or
    exact=True with more than 1,000 clusters that differ.
    """
    difference, counted, order, starts = _differences(correct_a, correct_b, groups, known)
    per_cluster = np.add.reduceat(difference[..., order], starts, axis=-1)
    sizes = np.add.reduceat(counted[..., order], starts, axis=-1)
    n, n_clusters = counted.sum(-1), (sizes > 0).sum(-1)
    total, squares = per_cluster.sum(-1), (per_cluster**2).sum(-1)
    none, undefined = squares == 0, n_clusters < 2
    statistic = np.where(undefined, np.nan, total**2 / np.where(none, 1, squares))
    is_exact = np.broadcast_to((per_cluster != 0).sum(-1) < _EXACT_BELOW if exact is None else bool(exact), none.shape)
    p_value, log10_p = _by_sign_flips_where(is_exact & ~undefined, per_cluster, upper_chi_squared(statistic, 1))
    low, high = _cluster_interval(per_cluster, sizes, level)
    only_a, only_b = (difference > 0).sum(-1), (difference < 0).sum(-1)
    return ClusteredMcNemarResult(
        statistic=statistic[()],
        df=np.where(is_exact, np.nan, 1.0)[()],
        p_value=p_value[()],
        log10_p=log10_p[()],
        estimate=np.where(n > 0, total / np.maximum(n, 1), np.nan)[()],
        ci_low=np.where(undefined, np.nan, low)[()],
        ci_high=np.where(undefined, np.nan, high)[()],
        n=n[()],
        degenerate=first_reason(
            (n == 0, "no samples"),
            (undefined, "one cluster only"),
            (only_a + only_b == 0, "no discordant sample"),
            (none, "no cluster differs"),
        ),
        only_a=only_a[()],
        only_b=only_b[()],
        n_clusters=n_clusters[()],
        exact=is_exact[()],
    )


def _binomial_two_sided(only_a: np.ndarray, only_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Twice P(X <= the lesser count) of a fair coin, at most 1, and its logarithm to base 10."""
    least, n = np.minimum(only_a, only_b), only_a + only_b
    # An equal split leaves more than half on one side; no pair at all is one too, where betainc has no value.
    equal = only_a == only_b
    tail = special.betainc(np.maximum(n - least, 1), least + 1, 0.5)
    p = np.where(equal, 1.0, np.minimum(2 * tail, 1.0))
    far = p < _TINY
    log10_p = np.log10(np.where(far, 1.0, p))
    if far.any():
        # The largest term, times the rest as a series in it: sum_j C(n, j) = C(n, k) 2F1(1, -k; n - k + 1; -1).
        k, size = least[far], n[far]
        term = special.gammaln(size + 1) - special.gammaln(k + 1) - special.gammaln(size - k + 1)
        series = np.log(special.hyp2f1(1.0, -k, size - k + 1, -1.0))
        log10_p = np.asarray(log10_p)
        log10_p[far] = (term + series - (size - 1) * np.log(2.0)) / np.log(10.0)
    return p, log10_p


def _by_sign_flips_where(
    chosen: np.ndarray, per_cluster: np.ndarray, otherwise: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """p and log10 p [...]: exact in the chosen rows of d_c [..., C], as they were elsewhere."""
    p_value, log10_p = (np.array(each) for each in otherwise)
    if chosen.any():
        rows = per_cluster[chosen]
        # Clusters that do not differ are most of them, and sorted to the front they can be cut off.
        magnitudes = np.sort(np.abs(rows), axis=1)[:, rows.shape[1] - (rows != 0).sum(1).max() :]
        p_value[chosen], log10_p[chosen] = sign_flip_p(magnitudes, np.maximum(rows, 0).sum(1))
    return p_value, log10_p


def _differences(
    correct_a: np.ndarray, correct_b: np.ndarray, groups: np.ndarray, known: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(a right) - (b right) and what is counted, both int64 [..., N]; the order by cluster and where each starts."""
    first, second = _zero_one(correct_a, "correct_a"), _zero_one(correct_b, "correct_b")
    counted = np.ones_like(first) if known is None else _zero_one(known, "known")
    if first.ndim == 0 or second.ndim == 0 or counted.ndim == 0:
        raise ValueError("correct_a, correct_b and known must be arrays [..., N]")
    n_samples = first.shape[-1]
    if second.shape[-1] != n_samples or counted.shape[-1] != n_samples:
        shapes = [list(array.shape) for array in (first, second, counted)]
        raise ValueError(f"correct_a, correct_b and known differ in length: {shapes}")
    if n_samples == 0:
        raise ValueError("no samples")
    codes = group_codes(groups, n_samples)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(codes.max() + 1))
    difference = (first - second) * counted
    return difference, np.broadcast_to(counted, difference.shape), order, starts


def _zero_one(values: np.ndarray, name: str) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype != bool and not (np.issubdtype(array.dtype, np.number) and np.isin(array, (0, 1)).all()):
        raise ValueError(f"{name} must be booleans, or 0 and 1")
    return array.astype(np.int64)


def _cluster_interval(per_cluster: np.ndarray, sizes: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Differences x with (sum d_c - n x)^2 <= z^2 sum (d_c - n_c x)^2, which is quadratic in x."""
    check_level(level)
    z_squared = special.ndtri((1 + level) / 2) ** 2
    d, m = per_cluster.astype(np.float64), sizes.astype(np.float64)
    total, n = d.sum(-1), m.sum(-1)
    squared = n**2 - z_squared * (m**2).sum(-1)
    linear = n * total - z_squared * (d * m).sum(-1)
    constant = total**2 - z_squared * (d**2).sum(-1)
    bounded = squared > 0
    root = np.sqrt(np.maximum(linear**2 - squared * constant, 0.0))
    divisor = np.where(bounded, squared, 1.0)
    # Where no cluster differs the quadratic gives no width: Tango's interval with whole clusters as units does.
    none, n_clusters = (d == 0).all(-1), (m > 0).sum(-1)
    unseen = z_squared / (n_clusters + z_squared)
    low = np.select([none, bounded], [-unseen, (linear - root) / divisor], default=-1.0)
    high = np.select([none, bounded], [unseen, (linear + root) / divisor], default=1.0)
    return np.clip(low, -1, 1), np.clip(high, -1, 1)
