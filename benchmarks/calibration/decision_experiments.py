"""McNemar's tests on correctness, and Stuart-Maxwell's and Bowker's on the classes that two models decide for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from cxrbench.stats import bowker_test, clustered_mcnemar_test, mcnemar_test, stuart_maxwell_test

from .measured import LEVEL, Measured, coverage, false_alarms, normal_power, power_of

FAMILY = "Decisions"


@dataclass(frozen=True)
class Classes:
    """Decisions of two models for N images: agreement beyond chance, and how often each class is named."""

    n: int
    agreement: float
    shares: tuple[float, ...]

    def joint(self, shares_of_b: tuple[float, ...] | None = None) -> np.ndarray:
        """Probabilities [K, K]; symmetric unless b names the classes otherwise."""
        a, b = np.array(self.shares), np.array(shares_of_b or self.shares)
        return self.agreement * np.diag(a) + (1 - self.agreement) * np.outer(a, b)


CLASSES = {
    "small: 60 images, 3 classes": Classes(60, 0.4, (1 / 3, 1 / 3, 1 / 3)),
    "medium: 600 images, 6 classes": Classes(600, 0.5, (1 / 6,) * 6),
    "tied: 600 images, 6 classes, 3 % disagreement": Classes(600, 0.96, (1 / 6,) * 6),
    "imbalanced: 600 images, 60 % to 2 % a class": Classes(600, 0.5, (0.6, 0.2, 0.1, 0.05, 0.03, 0.02)),
}
# What b names instead, where there is something to find.
OTHER_SHARES = (
    (0.55, 0.3, 0.15),
    (0.23, 0.2, 0.17, 0.15, 0.13, 0.12),
    (0.4, 0.2, 0.15, 0.1, 0.1, 0.05),
    (0.52, 0.22, 0.1, 0.08, 0.05, 0.03),
)
# N, share of images that only a gets right, and only b.
PAIRS = {
    "small: 40 images, 30 % discordant": (40, 0.15, 0.15),
    "medium: 600 images, 16 % discordant": (600, 0.08, 0.08),
    "tied: 600 images, 2 % discordant": (600, 0.01, 0.01),
    "imbalanced: 5000 images, 1 % discordant": (5000, 0.005, 0.005),
}
OTHER_PAIRS = ((0.25, 0.05), (0.1, 0.055), (0.022, 0.006), (0.008, 0.0035))
# Images a patient, in turn.
PATIENTS = {
    "small: 30 patients x 3 images": (30, (3,), 0.6),
    "medium: 150 patients x 4 images": (150, (4,), 0.7),
    "tied: 150 patients x 4 images, 96 % right": (150, (4,), 0.96),
    "imbalanced: 150 patients, 1 to 20 images": (150, (1, 1, 2, 20, 3, 1), 0.7),
}


def experiments(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    """Rates over `n` experiments each."""
    yield from _mcnemar(n, rng)
    yield from _clustered_mcnemar(n, rng)
    for test, name in ((stuart_maxwell_test, "Stuart-Maxwell"), (bowker_test, "Bowker")):
        for (setting, classes), other in zip(CLASSES.items(), OTHER_SHARES, strict=True):
            yield false_alarms(FAMILY, name, setting, test(_tables(classes.joint(), classes.n, n, rng)).p_value)
            joint = classes.joint(other)
            theory = _stuart_maxwell_power if test is stuart_maxwell_test else _bowker_power
            p_value = test(_tables(joint, classes.n, n, rng)).p_value
            yield power_of(FAMILY, name, setting, p_value, theory(joint, classes.n), "noncentral chi-squared")


def correctness(
    groups: np.ndarray, n: int, rng: np.random.Generator, right_a: float, right_b: float, within_patient: float = 0.4
) -> tuple[np.ndarray, np.ndarray]:
    """Which images [n, N] two models get right: correlated between the models, and within patients for each model."""
    own = rng.standard_normal((2, n, int(groups.max()) + 1))[..., groups]
    image = np.sqrt(0.5) * (rng.standard_normal((n, len(groups))) + rng.standard_normal((2, n, len(groups))))
    ease = np.sqrt(within_patient) * own + np.sqrt(1 - within_patient) * image
    a, b = ease < stats.norm.ppf([right_a, right_b])[:, None, None]
    return a, b


def mcnemar_power(n: int, only_a: float, only_b: float, exact: bool) -> float:
    """Chance to reject, summed over all numbers of discordant pairs and all their divisions."""
    share = only_a / (only_a + only_b)
    rejected = 0.0
    chances = stats.binom.pmf(np.arange(n + 1), n, only_a + only_b)
    chances[0] = 0
    for discordant in np.flatnonzero(chances > 1e-12):
        first = np.arange(discordant + 1)
        if exact:
            p_value = np.minimum(2 * stats.binom.cdf(np.minimum(first, discordant - first), discordant, 0.5), 1)
        else:
            p_value = stats.chi2.sf((2 * first - discordant) ** 2 / discordant, 1)
        rejected += chances[discordant] * stats.binom.pmf(first, discordant, share)[p_value < LEVEL].sum()
    return float(rejected)


def _mcnemar(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    ways: dict[str, bool | None] = {"McNemar": None, "McNemar, exact": True, "McNemar, chi-squared": False}
    for (setting, (size, only_a, only_b)), other in zip(PAIRS.items(), OTHER_PAIRS, strict=True):
        null = _tables(_discordant(only_a, only_b), size, n, rng)
        apart = _tables(_discordant(*other), size, n, rng)
        for name, exact in ways.items():
            yield false_alarms(FAMILY, name, setting, mcnemar_test(null, exact=exact).p_value)
            result = mcnemar_test(apart, exact=exact)
            if exact is not None:
                expected = mcnemar_power(size, *other, exact)
                yield power_of(FAMILY, name, setting, result.p_value, expected, "all outcomes summed")
        found = mcnemar_test(apart)
        name = "difference of accuracies (Tango)"
        yield coverage("Intervals", name, setting, found.ci_low, found.ci_high, other[0] - other[1])


def _clustered_mcnemar(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    for setting, (patients, sizes, right) in PATIENTS.items():
        name = "McNemar, clustered"
        groups = np.repeat(np.arange(patients), np.resize(sizes, patients))
        a, b = correctness(groups, n, rng, right, right)
        yield false_alarms(FAMILY, name, setting, clustered_mcnemar_test(a, b, groups).p_value)
        worse = right - (0.15 if patients < 100 else 0.05)
        a, b = correctness(groups, n, rng, right, worse)
        result = clustered_mcnemar_test(a, b, groups)
        expected = normal_power(right - worse, result.estimate.std())
        yield power_of(FAMILY, name, setting, result.p_value, expected, "normal theory, true standard error")
        name = "difference of accuracies, clustered"
        yield coverage("Intervals", name, setting, result.ci_low, result.ci_high, right - worse)


def _tables(joint: np.ndarray, n_images: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Tables of counts [n, K, K]."""
    return rng.multinomial(n_images, joint.ravel() / joint.sum(), size=n).reshape(n, *joint.shape)


def _discordant(only_a: float, only_b: float) -> np.ndarray:
    both = (1 - only_a - only_b) * 0.8
    return np.array([[both, only_a], [only_b, 1 - only_a - only_b - both]])


def _stuart_maxwell_power(joint: np.ndarray, n: int) -> float:
    difference = (joint.sum(axis=1) - joint.sum(axis=0))[:-1]
    both = joint + joint.T
    covariance = (np.diag(both.sum(axis=1)) - both)[:-1, :-1]
    return _chi_squared_power(n * difference @ np.linalg.solve(covariance, difference), len(joint) - 1)


def _bowker_power(joint: np.ndarray, n: int) -> float:
    rows, columns = np.triu_indices(len(joint), 1)
    above, below = joint[rows, columns], joint[columns, rows]
    return _chi_squared_power(n * ((above - below) ** 2 / (above + below)).sum(), len(rows))


def _chi_squared_power(noncentrality: float, df: int) -> float:
    return float(stats.ncx2.sf(stats.chi2.isf(LEVEL, df), df, noncentrality))
