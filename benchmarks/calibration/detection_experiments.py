"""Paired permutation test and bootstrap interval of mAP: two detectors on the same patients, easy and hard ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special

from cxrbench.stats import bootstrap_ci
from cxrbench.stats.average_precision import Detections, Matches, Truth, match, paired_permutation_test

from .clustered_experiments import APART, MEDIUM
from .measured import Measured, coverage, false_alarms, normal_power, power_of

FAMILY = "Detection"
RESAMPLES = 500
# A data set takes a fifth of a second, so there are fewer of them.
SHARE = 5
TEST = "mAP, permutation by patient"


@dataclass(frozen=True)
class Images:
    """A test set: images a patient in turn, share of patients with true boxes, and steps of a score (0: no ties)."""

    n: int
    per_patient: tuple[int, ...]
    positive: float = 0.6
    step: float = 0.0

    @property
    def patients(self) -> np.ndarray:
        """Patient of every image [n]."""
        return np.repeat(np.arange(self.n), np.resize(self.per_patient, self.n))[: self.n]


# 100 images of 60 patients but where it says otherwise.
SETTINGS = {
    "small: 50 images of 30 patients": Images(50, (1, 2, 1, 3, 1, 2)),
    MEDIUM: Images(100, (1, 2, 1, 3, 1, 2)),
    "tied: 100 images, scores in steps of 0.1": Images(100, (1, 2, 1, 3, 1, 2), step=0.1),
    "imbalanced: 100 images of 48 patients, 1 to 6 images, 30 % with boxes": Images(100, (1, 1, 6, 1, 1, 3), 0.3),
}
# What b's scores of right boxes lose against those of wrong ones, where there is something to find.
LOST = 0.5


def experiments(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    """Rates over a fifth of `n` experiments each."""
    n = max(2, n // SHARE)
    for setting, images in SETTINGS.items():
        pairs = [detected(images, rng) for _ in range(n)]
        p_value = _p_values(pairs, images.patients)
        yield false_alarms(FAMILY, TEST, setting, p_value)
        if setting == MEDIUM:
            shown = setting.removeprefix("medium: ")
            yield false_alarms(APART, "mAP, permutation by image", shown, _p_values(pairs, None), "misused")
            yield false_alarms(APART, TEST, shown, p_value)
        for method in ("percentile", "bca"):
            low, high = _intervals(pairs, images.patients, method)
            name = f"difference of mAPs, bootstrap by patient, {'BCa' if method == 'bca' else method}"
            yield coverage("Intervals", name, setting, low, high, 0.0)
    for scale in (1.0, 0.4):
        pairs = [detected(SETTINGS[MEDIUM], rng, LOST, scale) for _ in range(n)]
        differences = [(a.value("map") or 0.0) - (b.value("map") or 0.0) for a, b in pairs]
        expected = normal_power(float(np.mean(differences)), float(np.std(differences)))
        setting = f"{MEDIUM}; {LOST:g} off b's logits of right boxes" + ("" if scale == 1 else f", all x {scale:g}")
        p_value = _p_values(pairs, SETTINGS[MEDIUM].patients)
        yield power_of(FAMILY, TEST, setting, p_value, expected, "normal theory, true standard error")


def _p_values(pairs: list[tuple[Matches, Matches]], patients: np.ndarray | None) -> np.ndarray:
    return np.array(
        [paired_permutation_test(a, b, "map", patients, RESAMPLES, seed).p_value for seed, (a, b) in enumerate(pairs)]
    )


def _intervals(
    pairs: list[tuple[Matches, Matches]], patients: np.ndarray, method: str
) -> tuple[np.ndarray, np.ndarray]:
    """Ends [E] of the intervals of the difference."""
    ends = []
    for seed, pair in enumerate(pairs):
        a, b = (each.weighted("map") for each in pair)
        found = bootstrap_ci(
            lambda weights, a=a, b=b: a(weights) - b(weights),
            weighted=True,
            groups=patients,
            n_resamples=RESAMPLES,
            method=method,
            seed=seed,
        )
        ends.append((found.ci_low, found.ci_high))
    low, high = np.array(ends).T
    return low, high


def detected(
    images: Images, rng: np.random.Generator, lost: float = 0.0, scale: float = 1.0
) -> tuple[Matches, Matches]:
    """Matches of two detectors on one draw of patients.

    A patient is easy or hard for both detectors, and a little easier for one of them by chance; that moves the scores
    of right and wrong boxes apart. Each true box is found with some error of its place; every image has three other
    boxes on average. `lost` is taken from b's logits of right boxes, and `scale` multiplies all its logits.
    """
    patients = images.patients
    n_patients = patients[-1] + 1
    has_boxes = (rng.random(n_patients) < images.positive)[patients]
    n_true = np.where(has_boxes, rng.integers(1, 3, images.n), 0)
    image = np.repeat(np.arange(images.n), n_true)
    corner, size = rng.uniform(0, 700, (len(image), 2)), rng.uniform(40, 300, (len(image), 2))
    truth = Truth(image, np.zeros_like(image), np.hstack([corner, corner + size]))
    ease = 0.8 * rng.standard_normal(n_patients)
    found = []
    for number in range(2):
        own = ease + 0.6 * rng.standard_normal(n_patients)
        error = 0.06 * np.exp(-0.3 * own[patients[image]])[:, None] * size * rng.standard_normal((2, len(image), 2))
        near = np.sort(np.stack([corner, corner + size]) + error, axis=0)
        logit = 1.0 - lost * number + own[patients[image]] + rng.standard_normal(len(image))
        others = np.repeat(np.arange(images.n), rng.poisson(3, images.n))
        place, extent = rng.uniform(0, 700, (len(others), 2)), rng.uniform(40, 300, (len(others), 2))
        wrong = -1.0 - 0.5 * own[patients[others]] + rng.standard_normal(len(others))
        scores = special.expit((scale if number else 1.0) * np.append(logit, wrong))
        if images.step:
            scores = np.round(scores / images.step) * images.step
        boxes = np.vstack([np.hstack(list(near)), np.hstack([place, place + extent])])
        where = np.append(image, others)
        found.append(match(Detections(where, np.zeros_like(where), boxes, scores), truth, images.n, 1))
    return found[0], found[1]
