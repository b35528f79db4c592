"""Paired tests of a value of every image, such as Dice, where patients bring several images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import special

from cxrbench.stats import (
    bootstrap_ci,
    clustered_paired_t_test,
    clustered_wilcoxon_test,
    paired_t_test,
    wilcoxon_test,
)

from .measured import Measured, coverage, false_alarms, normal_power, power_of

FAMILY = "Dice"
APART = "Images of one patient taken apart"
MEDIUM = "medium: 100 images of 60 patients"
# Patients, images a patient in turn, and a share of images that neither model finds anything in (Dice 0 in both).
SETTINGS = {
    "small: 50 images of 30 patients": (50, (1, 2, 1, 3, 1, 2), 0.0, 0.0),
    MEDIUM: (100, (1, 2, 1, 3, 1, 2), 0.0, 0.0),
    "tied: 100 images of 60 patients, half of them Dice 0 in both, steps of 0.1": (100, (1, 2, 1, 3, 1, 2), 0.5, 0.1),
    "imbalanced: 100 images of 48 patients, 1 to 6 images": (100, (1, 1, 6, 1, 1, 3), 0.0, 0.0),
}
# What b's logits lose where there is something to find: 0.05 of Dice.
LOST = 0.3
MANY = "300 images of 60 patients"
# Experiments that share their resamples, as a batch.
TOGETHER = 20
RESAMPLES = 500


def experiments(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    """Rates over `n` experiments each."""
    for setting, (size, per_patient, zero, step) in SETTINGS.items():
        patients = np.repeat(np.arange(size), np.resize(per_patient, size))[:size]
        a, b = dice(patients, n, rng, zero, step)
        p_t, p_rank = (test(a, b, patients).p_value for test in (clustered_paired_t_test, clustered_wilcoxon_test))
        yield false_alarms(FAMILY, "paired t, clustered", setting, p_t)
        yield false_alarms(FAMILY, "Wilcoxon, clustered", setting, p_rank)
        if setting == MEDIUM:
            yield from _apart(a, b, patients, setting)
        found = clustered_paired_t_test(a, b, patients)
        yield coverage("Intervals", "difference of Dice, clustered t", setting, found.ci_low, found.ci_high, 0.0)
        low, high = _intervals(a, b, patients)
        yield coverage("Intervals", "difference of Dice, bootstrap by patient, BCa", setting, low, high, 0.0)
    yield from _apart(*dice(np.repeat(np.arange(60), 5), n, rng), np.repeat(np.arange(60), 5), MANY)
    yield from _power(n, rng)


def dice(
    patients: np.ndarray, n: int, rng: np.random.Generator, zero: float = 0.0, step: float = 0.0, lost: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Dice [n, N] of two models on n draws of patients; `lost` is taken from b's logit.

    A patient is easy or hard for both, and a little easier for one of them by chance.
    """
    n_patients = patients.max() + 1
    ease = 0.8 * rng.standard_normal((n, n_patients)) + 0.6 * rng.standard_normal((2, n, n_patients))
    logit = 1.0 + ease[..., patients] + 0.6 * rng.standard_normal((2, n, len(patients)))
    logit[1] -= lost
    values = special.expit(logit)
    if step:
        values = np.round(np.round(values / step) * step, 6)
    values = np.where(rng.random((n, len(patients))) < zero, 0.0, values)
    return values[0], values[1]


def _apart(a: np.ndarray, b: np.ndarray, patients: np.ndarray, setting: str) -> Iterator[Measured]:
    """Tests that take the images of one patient for news of their own, beside those that do not."""
    setting = setting.removeprefix("medium: ")
    yield false_alarms(APART, "paired t", setting, paired_t_test(a, b).p_value, "misused")
    yield false_alarms(APART, "paired t, clustered", setting, clustered_paired_t_test(a, b, patients).p_value)
    yield false_alarms(APART, "Wilcoxon", setting, wilcoxon_test(a, b).p_value, "misused")
    yield false_alarms(APART, "Wilcoxon, clustered", setting, clustered_wilcoxon_test(a, b, patients).p_value)


def _power(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    size, per_patient, *_ = SETTINGS[MEDIUM]
    patients = np.repeat(np.arange(size), np.resize(per_patient, size))[:size]
    a, b = dice(patients, n, rng, lost=LOST)
    found = clustered_paired_t_test(a, b, patients)
    expected = normal_power(float(found.estimate.mean()), float(found.estimate.std()))
    setting = f"{MEDIUM}; {LOST:g} off b's logits"
    by = "normal theory, true standard error"
    yield power_of(FAMILY, "paired t, clustered", setting, found.p_value, expected, by)
    # Theory of the mean's test; ranks have none as simple.
    yield power_of(
        FAMILY, "Wilcoxon, clustered", setting, clustered_wilcoxon_test(a, b, patients).p_value, expected, f"{by}, of t"
    )


def _intervals(a: np.ndarray, b: np.ndarray, patients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ends = []
    for first in range(0, len(a), TOGETHER):
        part = slice(first, first + TOGETHER)
        found = bootstrap_ci("mean_difference", a[part], b[part], groups=patients, n_resamples=RESAMPLES, seed=first)
        ends.append((found.ci_low, found.ci_high))
    low, high = zip(*ends, strict=True)
    return np.concatenate(low), np.concatenate(high)
