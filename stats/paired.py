"""Student's t for paired scores: the plain one, and two for scores of models whose training samples overlap."""

from __future__ import annotations

import numpy as np
from scipy import special

from .arguments import check_level, finite_scores
from .reasons import first_reason
from .result import TestResult
from .tails import two_sided_t

_EPSILON = np.finfo(np.float64).eps
# Each score carries half a unit in the last place, the subtraction another half, and a score that is itself a mean
# some more.
_ULPS = 8
# Where only differences are known, a spread this small against the largest of them is rounding: t would be above 1e12.
_RELATIVE_SPREAD = 1e-12


def paired_t_test(a: np.ndarray, b: np.ndarray, *, level: float = 0.95) -> TestResult:
    """Two-sided paired t-test of the mean of a - b, with its confidence interval.

    For scores over random draws of one training pool and one test set, this answers for that pool and that test
    set only; `pool_t_test` answers for the pool's population.

    Args:
        a: [..., n] scores; the last axis is the pairs', leading axes broadcast.
        b: [..., n] scores of the same units.
        level: of the confidence interval, above 0 and below 1.

    Differences count as equal where they differ by no more than 8 units in the last place of the largest |a| or
    |b|, which is what rounding leaves of 0.7 - 0.6 and 0.8 - 0.7. Equal and not zero: statistic +-inf, p 0, an
    interval of no width, flagged. All zero: statistic 0, p 1, flagged.

    Raises ValueError for fewer than two pairs, values that are not finite numbers, or lengths that differ.
    """
    a, b = finite_scores(a, "a"), finite_scores(b, "b")
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"a {list(a.shape)} and b {list(b.shape)} differ in length")
    a, b = np.broadcast_arrays(a, b)
    with np.errstate(over="ignore"):
        differences = finite_scores(a - b, "a - b")
    largest = np.maximum(np.abs(a), np.abs(b)).max(axis=-1, initial=0.0)
    return t_test_of_means(differences, largest, level)


def t_test_of_means(differences: np.ndarray, largest: np.ndarray, level: float) -> TestResult:
    """t-test of the mean of differences [..., n] of values whose largest magnitude is `largest` [...]."""
    return _t_test(differences, 0.0, _ULPS * _EPSILON * largest, level)


def corrected_paired_t_test(
    differences: np.ndarray, n_train: float, n_test: float, *, level: float = 0.95, scale: float | None = None
) -> TestResult:
    """Nadeau and Bengio's corrected resampled t-test, for cross-validation and repeated random splits.

    The variance of the mean of J differences is s^2 (1/J + n_test / n_train) rather than s^2 / J, because the
    training parts overlap (Nadeau and Bengio 2003, Machine Learning 52:239, eq. 9); df = J - 1. It is made for test
    sets that are drawn anew each time: for draws of one pool with one test set take `pool_t_test`.

    Args:
        differences: [..., J] difference of the two models' scores in every split.
        n_train: training samples of a split.
        n_test: test samples of a split.
        level: of the confidence interval.
        scale: largest magnitude of the scores that were subtracted (1 for an AUC). Differences count as equal where
            they differ by no more than 8 units in the last place of it; without it, by 1e-12 of the largest difference.

    Degenerate cases and errors are those of `paired_t_test`; sizes that are not above 0 are a ValueError too.
    """
    if not (0 < n_train < np.inf and 0 < n_test < np.inf):
        raise ValueError(f"n_train {n_train} and n_test {n_test} must be above 0")
    return _t_test_of_differences(differences, n_test / n_train, level, scale)


def pool_t_test(
    differences: np.ndarray, fraction: float | np.ndarray, *, level: float = 0.95, scale: float | None = None
) -> TestResult:
    """t-test over J random draws of a share f of one training pool, all tested on one test set.

    Two draws share a part f of their samples. Where a score is, to first order, a sum over its training samples with
    variance v, two of them have covariance f v, so the mean of J has variance v (1/J + f (J - 1)/J) while the
    draws' own variance s^2 has mean v (1 - f). Hence Var(mean) = s^2 (1/J + f/(1 - f)); df = J - 1. The plain t
    leaves out f/(1 - f): it says which model is better on draws of this very pool and this test set, and at f = 0.5
    rejects two equal models in half of all pools. The test set's own uncertainty is in neither of the two; see
    `replicate_bootstrap_ci`.

    Args:
        differences: [..., J] difference of the two models' scores in every draw.
        fraction: the share f, above 0 and below 1 (10 % is 0.1); may be an array over the leading axes.
        level: of the confidence interval.
        scale: as in `corrected_paired_t_test`.

    Degenerate cases and errors are those of `paired_t_test`; a share outside (0, 1) is a ValueError too: draws
    of the whole pool are all the same and hold no information about other pools.
    """
    share = np.asarray(fraction, dtype=np.float64)
    if not ((share > 0) & (share < 1)).all():
        raise ValueError(f"fraction {fraction} must be a share of the pool, above 0 and below 1 (10 % is 0.1)")
    lead = np.shape(differences)[:-1]
    if share.ndim and np.broadcast_shapes(share.shape, lead or (1,)) != lead:
        raise ValueError(
            f"fraction {list(share.shape)} must be one share, or one for each of the leading axes {list(lead)} of "
            "differences; differences are a - b in one array"
        )
    return _t_test_of_differences(differences, share / (1 - share), level, scale)


def _t_test_of_differences(
    differences: np.ndarray, shared_variance: np.ndarray | float, level: float, scale: float | None
) -> TestResult:
    differences = finite_scores(differences, "differences")
    if scale is None:
        rounding = _RELATIVE_SPREAD * np.abs(differences).max(axis=-1, initial=0.0)
    elif 0 <= scale < np.inf:
        rounding = np.full(differences.shape[:-1], _ULPS * _EPSILON * scale)
    else:
        raise ValueError(f"scale {scale} must be a finite number, 0 or above")
    return _t_test(differences, shared_variance, rounding, level)


def _t_test(
    differences: np.ndarray, shared_variance: np.ndarray | float, rounding: np.ndarray, level: float
) -> TestResult:
    """t of the mean with variance s^2 (1/n + shared variance); `rounding` [...] is the spread that counts as none."""
    check_level(level)
    n = differences.shape[-1]
    if n < 2:
        raise ValueError(f"{n} pairs: a paired t-test needs at least two")
    # Squares of very large or very small differences leave the range of a float; a power of two costs no digit.
    largest = np.abs(differences).max(axis=-1)
    exponent = np.frexp(largest)[1]
    unit = np.ldexp(differences, -exponent[..., None])
    mean = np.ldexp(unit.mean(axis=-1), exponent)
    se = np.ldexp(unit.std(axis=-1, ddof=1), exponent) * np.sqrt(1 / n + shared_variance)
    shape = se.shape
    zero = np.broadcast_to(largest <= rounding, shape)
    constant = np.broadcast_to(np.ptp(differences, axis=-1) <= rounding, shape) & ~zero
    mean = np.where(zero, 0.0, np.broadcast_to(mean, shape))
    se = np.where(zero | constant, 0.0, se)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        statistic = np.where(zero, 0.0, mean / se)
    p_value, log10_p = two_sided_t(statistic, n - 1)
    half_width = special.stdtrit(n - 1, (1 + level) / 2) * se
    return TestResult(
        statistic=statistic[()],
        df=np.full(shape, n - 1.0)[()],
        p_value=p_value[()],
        log10_p=log10_p[()],
        estimate=mean[()],
        ci_low=(mean - half_width)[()],
        ci_high=(mean + half_width)[()],
        n=np.full(shape, n)[()],
        degenerate=first_reason((zero, "all differences are zero"), (constant, "all differences are equal")),
    )
