"""Tests of paired scores: t and its corrected forms, signed ranks, Friedman and Nemenyi, Holm; and mean's intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy import integrate, stats

from cxrbench.stats import (
    benjamini_hochberg,
    corrected_paired_t_test,
    friedman_test,
    holm,
    nemenyi,
    paired_t_test,
    pool_t_test,
    wilcoxon_test,
)

from .draws import cross_validated, drawn_from_pools
from .measured import LEVEL, Measured, false_alarms, power_of

FAMILY = "Scores"
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape)


def stepped(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal, rounded to halves of a standard deviation: ties and zeros."""
    return np.round(2 * rng.standard_normal(shape)) / 2


def uneven(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Symmetric, every third value five times as wide as the others."""
    return rng.standard_normal(shape) * np.where(np.arange(shape[-1]) % 3 == 0, 5.0, 1.0)


def skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Exponential about a mean of 0."""
    return rng.standard_exponential(shape) - 1


PAIRED: dict[str, tuple[int, Draw]] = {
    "small: 5 pairs": (5, normal),
    "medium: 30 pairs": (30, normal),
    "tied: 10 pairs, steps of half a SD": (10, stepped),
    "imbalanced: 12 pairs, a third 5 x as wide": (12, uneven),
}
# Blocks, methods, and what spoils them.
BLOCKS = {
    "small: 5 tasks, 4 encoders": (5, 4, normal),
    "medium: 20 tasks, 8 encoders": (20, 8, normal),
    "tied: 10 tasks, 5 encoders, steps of half a SD": (10, 5, stepped),
    "imbalanced: 8 tasks of unequal spread, 5 encoders": (8, 5, normal),
}


def experiments(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    """Rates over `n` experiments each."""
    yield from _paired(n, rng)
    yield from _pool(n, rng)
    yield from _cross_validation(n, rng)
    yield from _ranks(n, rng)
    yield from _families(n, rng)


def t_power(noncentrality: float, df: int) -> float:
    critical = stats.t.isf(LEVEL / 2, df)
    return float(stats.nct.sf(critical, df, noncentrality) + stats.nct.cdf(-critical, df, noncentrality))


def _paired(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    for setting, (pairs, draw) in PAIRED.items():
        differences, base = draw(rng, (n, pairs)), rng.standard_normal((n, pairs))
        a, b = (base + differences, base) if draw is not stepped else (differences, np.zeros_like(differences))
        yield false_alarms(FAMILY, "paired t", setting, paired_t_test(a, b).p_value)
        yield false_alarms(FAMILY, "Wilcoxon", setting, wilcoxon_test(a, b).p_value)
    for pairs, shift in ((5, 1.5), (30, 0.5)):
        setting = f"{'small' if pairs == 5 else 'medium'}: {pairs} pairs, difference {shift:g} SD"
        differences = normal(rng, (n, pairs)) + shift
        zeros = np.zeros(pairs)
        expected = t_power(shift * np.sqrt(pairs), pairs - 1)
        yield power_of(FAMILY, "paired t", setting, paired_t_test(differences, zeros).p_value, expected, "noncentral t")
        if pairs > 5:
            found = wilcoxon_test(differences, zeros).p_value
            yield power_of(FAMILY, "Wilcoxon", setting, found, _wilcoxon_power(shift, pairs), "normal theory (Lehmann)")


def _pool(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    settings = {
        "small: 3 draws of 10 %": (3, 0.1, 0.0),
        "medium: 10 draws of 10 %": (10, 0.1, 0.0),
        "tied: 10 draws of 10 %, steps of half a SD": (10, 0.1, 0.5),
        "imbalanced: 10 draws of 90 %": (10, 0.9, 0.0),
    }
    for setting, (draws, fraction, step) in settings.items():
        differences = drawn_from_pools(n, draws, fraction, rng)
        if step:
            differences = np.round(differences / step / differences.std()) * step
        yield false_alarms(FAMILY, "pool t", setting, pool_t_test(differences, fraction).p_value)
    for fraction, shift in ((0.1, 1.6), (0.5, 3.0)):
        differences = drawn_from_pools(n, 10, fraction, rng)
        # Of one draw, over pools.
        sd = 1 / np.sqrt(round(1000 * fraction))
        p_value = pool_t_test(differences + shift * sd, fraction).p_value
        noncentrality = shift / np.sqrt((1 - fraction) * (1 / 10 + fraction / (1 - fraction)))
        setting = f"medium: 10 draws of {100 * fraction:g} %, difference {shift:g} SD"
        yield power_of(FAMILY, "pool t", setting, p_value, t_power(noncentrality, 9), "noncentral t")


def _cross_validation(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    settings = {
        "small: 5 random splits 90:10 of 50": (5, 50, 0.1, 0.0),
        "medium: 10 random splits 90:10 of 400": (10, 400, 0.1, 0.0),
        "tied: 10 random splits 90:10 of 400, steps of half a SD": (10, 400, 0.1, 0.5),
        "imbalanced: 20 random splits 50:50 of 200": (20, 200, 0.5, 0.0),
    }
    test = "Nadeau-Bengio t"
    for setting, (splits, size, share, step) in settings.items():
        differences, n_train, n_test = cross_validated(n, splits, size, share, rng)
        if step:
            differences = np.round(differences / step / differences.std()) * step
        p_value = corrected_paired_t_test(differences, n_train, n_test).p_value
        yield false_alarms(FAMILY, test, setting, p_value)
    differences, n_train, n_test = cross_validated(n, 10, 400, 0.1, rng)
    # The mean of the test parts has variance 1 / 400 where every sample has variance 1.
    p_value = corrected_paired_t_test(differences + 0.2, n_train, n_test).p_value
    expected = t_power(0.2 / np.sqrt((1 / 40 - 1 / 400) * (1 / 10 + n_test / n_train)), 9)
    yield power_of(
        FAMILY, test, "medium: 10 random splits 90:10 of 400, difference 0.2 SD", p_value, expected, "noncentral t"
    )


def _ranks(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    for setting, (blocks, methods, draw) in BLOCKS.items():
        values = draw(rng, (n, blocks, methods)) + rng.standard_normal((n, blocks, 1)).round()
        if setting.startswith("imbalanced"):
            values *= 2.0 ** np.arange(blocks)[:, None]
        found = friedman_test(values)
        yield false_alarms(FAMILY, "Friedman, chi-squared", setting, found.p_value)
        yield false_alarms(FAMILY, "Friedman, F", setting, found.f_p_value)
        least = np.array([nemenyi(each).p_value.min() for each in values])
        yield false_alarms(FAMILY, "Nemenyi, any pair", setting, least)
    means = np.linspace(0, 1, 6)
    found = friedman_test(rng.standard_normal((n, 15, 6)) + means)
    expected = _friedman_power(means, 15)
    setting = "medium: 15 tasks, 6 encoders over 1 SD"
    for test, p_value in (("Friedman, chi-squared", found.p_value), ("Friedman, F", found.f_p_value)):
        yield power_of(FAMILY, test, setting, p_value, expected, "noncentral chi-squared")


def _families(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    """The chance that any of several true nulls is rejected."""
    encoders = rng.standard_normal((n, 30, 5))
    i, j = np.triu_indices(5, 1)
    pairs = np.swapaxes(encoders, 1, 2)
    p_of_pairs = paired_t_test(pairs[:, i], pairs[:, j]).p_value
    settings = {
        "small: 3 independent tests": rng.random((n, 3)),
        "medium: all 10 pairs of 5 encoders": p_of_pairs,
        "tied: 10 tests, p in steps of 0.001": np.ceil(1000 * rng.random((n, 10))) / 1000,
        "imbalanced: 14 tests, 7 not made": np.where(np.arange(14) % 2, np.nan, rng.random((n, 14))),
    }
    for setting, p_value in settings.items():
        for test, adjust in (("Holm, any of them", holm), ("Benjamini-Hochberg, any of them", benjamini_hochberg)):
            yield false_alarms("Several tests", test, setting, np.nanmin(adjust(p_value), axis=1))
    # Nine true nulls beside five tests that find something.
    mixed = np.concatenate([rng.random((n, 9)), np.full((n, 5), 1e-9)], axis=1)
    setting = "medium: 9 true nulls beside 5 clear differences"
    yield false_alarms("Several tests", "Holm, beside true differences", setting, holm(mixed)[:, :9].min(axis=1))


def _wilcoxon_power(shift: float, n: int) -> float:
    """Normal approximation with the exact mean and variance of V for normal differences (Lehmann 1975, 4.2)."""
    one, two = stats.norm.cdf(shift), stats.norm.cdf(shift * np.sqrt(2))
    three = _both_below(shift * np.sqrt(2), 0.5)
    mean = n * one + n * (n - 1) / 2 * two
    variance = n * one * (1 - one) + n * (n - 1) / 2 * (2 * (one - two) ** 2 + 3 * two * (1 - two))
    variance += n * (n - 1) * (n - 2) * (three - two**2)
    null_mean, null_sd = n * (n + 1) / 4, np.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    critical = stats.norm.isf(LEVEL / 2) * null_sd
    upper = stats.norm.sf((null_mean + critical - mean) / np.sqrt(variance))
    return float(upper + stats.norm.cdf((null_mean - critical - mean) / np.sqrt(variance)))


def _both_below(limit: float, correlation: float) -> float:
    """Chance that two standard normal deviates of this correlation both lie below the limit, by quadrature."""

    def given(first: float) -> float:
        rest = (limit - correlation * first) / np.sqrt(1 - correlation**2)
        return float(stats.norm.pdf(first) * stats.norm.cdf(rest))

    return float(integrate.quad(given, -np.inf, limit)[0])


def _friedman_power(means: np.ndarray, n: int) -> float:
    k = len(means)
    above = stats.norm.cdf((means[:, None] - means) / np.sqrt(2))
    ranks = 0.5 + above.sum(axis=1)
    noncentrality = 12 * n / (k * (k + 1)) * ((ranks - (k + 1) / 2) ** 2).sum()
    return float(stats.ncx2.sf(stats.chi2.isf(LEVEL, k - 1), k - 1, noncentrality))
