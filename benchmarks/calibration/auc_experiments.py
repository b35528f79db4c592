"""DeLong's tests and intervals of AUCs: binormal scores of two models, with and without several images a patient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from cxrbench.stats import delong_ci, delong_test, macro_auc_test

from .measured import Measured, coverage, false_alarms, normal_power, power_of

FAMILY = "AUC"
# Correlation of the two models' scores of one image, as of two networks that see the same thing.
BETWEEN_MODELS = 0.5
N_LABELS = 5


@dataclass(frozen=True)
class Images:
    """A test set: positives and negatives, images a patient, and the width of a score's steps (0: no ties)."""

    positives: int
    negatives: int
    step: float = 0.0
    per_patient: tuple[int, ...] = (1,)
    within_patient: float = 0.0

    @property
    def patients(self) -> np.ndarray:
        """Patient of every image [N]; patients are positive or negative as a whole, and take turns in size."""
        numbers = []
        for total in (self.positives, self.negatives):
            sizes = np.resize(self.per_patient, total)
            numbers.append(np.repeat(np.arange(total), sizes)[:total])
        return np.concatenate([numbers[0], numbers[1] + self.positives])

    @property
    def labels(self) -> np.ndarray:
        return np.repeat([1, 0], [self.positives, self.negatives])


SINGLE = {
    "small: 15 positives, 25 negatives": Images(15, 25),
    "medium: 100 positives, 200 negatives": Images(100, 200),
    "tied: 60 positives, 140 negatives, 6 values": Images(60, 140, step=1.0),
    "imbalanced: 15 positives, 985 negatives": Images(15, 985),
}
CLUSTERED = {
    "small: 30 patients x 3 images": Images(36, 54, per_patient=(3,), within_patient=0.5),
    "medium: 120 patients x 4 images": Images(160, 320, per_patient=(4,), within_patient=0.5),
    "tied: 120 patients x 4 images, 6 values": Images(160, 320, step=1.0, per_patient=(4,), within_patient=0.5),
    "imbalanced: 16 of 240 patients positive, 1 to 7 images": Images(64, 896, 0.0, (1, 7, 2, 6), 0.5),
}


def experiments(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    """Rates over `n` experiments each."""
    for setting, images in SINGLE.items():
        a, b = scores(images, n, rng, 0.8, 0.8)
        yield false_alarms(FAMILY, "DeLong", setting, delong_test(images.labels, a, b).p_value)
    for setting, images in CLUSTERED.items():
        a, b = scores(images, n, rng, 0.8, 0.8)
        p_value = delong_test(images.labels, a, b, groups=images.patients).p_value
        yield false_alarms(FAMILY, "DeLong, clustered", setting, p_value)
    yield from _macro(n, rng)
    yield from _power(n, rng)
    yield from _intervals(n, rng)


def scores(
    images: Images, n: int, rng: np.random.Generator, auc_a: float, auc_b: float
) -> tuple[np.ndarray, np.ndarray]:
    """Scores [n, N] of two models with these AUCs (before ties): normal, correlated between models and in patients."""
    patients = images.patients
    found = _correlated(rng, (n, len(patients)))
    if images.within_patient:
        shared = _correlated(rng, (n, int(patients.max()) + 1))[..., patients]
        found = np.sqrt(images.within_patient) * shared + np.sqrt(1 - images.within_patient) * found
    shifts = np.sqrt(2) * stats.norm.ppf([auc_a, auc_b])
    found = found + shifts[:, None, None] * images.labels
    if images.step:
        found = np.round(found / images.step)
    return found[0], found[1]


def true_auc(auc: float, step: float) -> float:
    """AUC of `scores` after rounding, ties half."""
    if not step:
        return auc
    edges = step * (np.arange(-12, 13) + 0.5)
    negative = np.diff(stats.norm.cdf(edges))
    positive = np.diff(stats.norm.cdf(edges - np.sqrt(2) * stats.norm.ppf(auc)))
    return float((positive * (np.cumsum(negative) - negative / 2)).sum())


def _correlated(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Normal deviates [2, *shape] of two models."""
    common, own = rng.standard_normal(shape), rng.standard_normal((2, *shape))
    return np.sqrt(BETWEEN_MODELS) * common + np.sqrt(1 - BETWEEN_MODELS) * own


def _macro(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    for setting, images in {**SINGLE, **CLUSTERED}.items():
        test = "DeLong, mean of 5 labels"
        groups = images.patients if images.within_patient else None
        name = f"{test}, clustered" if groups is not None else test
        p_value, _ = _of_labels(images, n, rng, 0.8, groups)
        yield false_alarms(FAMILY, name, setting, p_value)


def _of_labels(
    images: Images, n: int, rng: np.random.Generator, auc_b: float, groups: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """p-values and estimates [n] of the mean over labels: the same patients in an order of its own for every label."""
    orders = np.stack([_patients_in_another_order(images, label) for label in range(N_LABELS)])
    labels = images.labels[orders]
    p_value, estimate = np.empty(n), np.empty(n)
    # The test's own leading axis are replicates on one test set, so that experiments come one by one.
    for experiment in range(n):
        a, b = scores(images, N_LABELS, rng, 0.8, auc_b)
        a, b = (np.take_along_axis(each, orders, axis=1) for each in (a, b))
        found = macro_auc_test(labels, a, b, groups=groups)
        p_value[experiment], estimate[experiment] = found.p_value, found.estimate
    return p_value, estimate


def _patients_in_another_order(images: Images, label: int) -> np.ndarray:
    """Places [N] that exchange whole patients of one size, so that every label has positives of its own."""
    patients = images.patients
    sizes = np.bincount(patients)[patients]
    rng = np.random.default_rng(label)
    places = np.empty(len(patients), dtype=np.int64)
    for size in np.unique(sizes):
        here = np.flatnonzero(sizes == size).reshape(-1, size)
        places[here.ravel()] = rng.permutation(here, axis=0).ravel()
    return places


def _power(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    by = "normal theory, true standard error"
    for auc_b, (setting, images) in zip((0.6, 0.73, 0.72, 0.65), SINGLE.items(), strict=True):
        result = delong_test(images.labels, *scores(images, n, rng, 0.8, auc_b))
        difference = true_auc(0.8, images.step) - true_auc(auc_b, images.step)
        expected = normal_power(difference, result.estimate.std())
        yield power_of(FAMILY, "DeLong", f"{setting}; 0.80 against {auc_b:.2f}", result.p_value, expected, by)
    for auc_b, (setting, images) in zip((0.65, 0.73, 0.73, 0.65), CLUSTERED.items(), strict=True):
        result = delong_test(images.labels, *scores(images, n, rng, 0.8, auc_b), groups=images.patients)
        difference = true_auc(0.8, images.step) - true_auc(auc_b, images.step)
        expected = normal_power(difference, result.estimate.std())
        yield power_of(
            FAMILY, "DeLong, clustered", f"{setting}; 0.80 against {auc_b:.2f}", result.p_value, expected, by
        )
    setting, images = list(SINGLE.items())[1]
    p_value, estimate = _of_labels(images, n, rng, 0.77)
    expected = normal_power(0.03, estimate.std())
    yield power_of(FAMILY, "DeLong, mean of 5 labels", f"{setting}; 0.80 against 0.77", p_value, expected, by)


def _intervals(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    for method in ("normal", "logit"):
        for setting, images in SINGLE.items():
            for area in (0.8, 0.95):
                a, _ = scores(images, n, rng, area, area)
                found = delong_ci(images.labels, a, method=method)
                truth = true_auc(area, images.step)
                name = f"AUC {area:.2f}, DeLong, {method}"
                yield coverage("Intervals", name, setting, found.ci_low, found.ci_high, truth)
        for setting, images in CLUSTERED.items():
            a, _ = scores(images, n, rng, 0.8, 0.8)
            found = delong_ci(images.labels, a, groups=images.patients, method=method)
            truth = true_auc(0.8, images.step)
            name = f"AUC 0.80, DeLong, {method}, clustered"
            yield coverage("Intervals", name, setting, found.ci_low, found.ci_high, truth)
