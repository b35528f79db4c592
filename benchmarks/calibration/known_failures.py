"""Tests used for what they are not made for, as papers do, beside what is meant for it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cxrbench.stats import (
    clustered_mcnemar_test,
    confusion_between,
    corrected_paired_t_test,
    delong_test,
    mcnemar_test,
    paired_t_test,
    pool_t_test,
    replicate_bootstrap_ci,
    stuart_maxwell_test,
    weighted_mean,
    wilcoxon_test,
)

from .auc_experiments import Images, scores
from .decision_experiments import correctness, mcnemar_power
from .draws import POOL, drawn_from_pools
from .measured import Measured, false_alarms, power_of
from .score_experiments import skewed

SEVERAL_IMAGES = "Several images a patient"
DRAWS = "Draws of one pool"
NEW_TEST_SET = "Another test set"
MARGINS = "Stuart-Maxwell is not about accuracy"
SKEWED = "Skewed differences"
FEW_DISCORDANT = "Few discordant patients"
REPLICATES = 10
# Test patients for every 1000 in the training pool: what Nadeau and Bengio's correction asks for.
TEST_PATIENTS = 250


def experiments(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    """Rates over `n` experiments each."""
    yield from several_images(n, rng)
    yield from draws_of_one_pool(n, rng)
    yield from another_test_set(n, rng)
    yield from margins(n, rng)
    yield from skewed_differences(n, rng)
    yield from few_discordant(n, rng)


def several_images(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    """Two equal models, 300 patients: images of one patient correlate by a third."""
    for per_patient in (1, 3, 9):
        images = Images(100 * per_patient, 200 * per_patient, 0.0, (per_patient,), 1 / 3)
        setting = f"300 patients x {per_patient}"
        p_plain, p_clustered, p_mcnemar, p_by_patient = [], [], [], []
        for part in _parts(n, 500):
            a, b = scores(images, part, rng, 0.8, 0.8)
            p_plain.append(delong_test(images.labels, a, b).p_value)
            p_clustered.append(delong_test(images.labels, a, b, groups=images.patients).p_value)
            a, b = correctness(images.patients, part, rng, 0.75, 0.75, 1 / 3)
            tables = np.stack([confusion_between(*pair, [True, False]) for pair in zip(a, b, strict=True)])
            p_mcnemar.append(mcnemar_test(tables).p_value)
            p_by_patient.append(clustered_mcnemar_test(a, b, images.patients).p_value)
        misused = "misused" if per_patient > 1 else "false alarms"
        yield false_alarms(SEVERAL_IMAGES, "DeLong", setting, np.concatenate(p_plain), misused)
        yield false_alarms(SEVERAL_IMAGES, "DeLong, clustered", setting, np.concatenate(p_clustered))
        yield false_alarms(SEVERAL_IMAGES, "McNemar", setting, np.concatenate(p_mcnemar), misused)
        yield false_alarms(SEVERAL_IMAGES, "McNemar, clustered", setting, np.concatenate(p_by_patient))


def draws_of_one_pool(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    """Two models that are equal over all pools, and 10 draws of one pool with one test set."""
    for fraction in (0.01, 0.1, 0.5):
        differences = drawn_from_pools(n, REPLICATES, fraction, rng)
        setting = f"{100 * fraction:g} % of the pool"
        plain = paired_t_test(differences, np.zeros(REPLICATES)).p_value
        corrected = corrected_paired_t_test(differences, POOL * fraction, TEST_PATIENTS).p_value
        yield false_alarms(DRAWS, "paired t", setting, plain, "misused")
        yield false_alarms(DRAWS, "Nadeau-Bengio t", setting, corrected, "misused")
        yield false_alarms(DRAWS, "pool t", setting, pool_t_test(differences, fraction).p_value)


def another_test_set(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    """Two models that are equal over all pools and all test patients, where all draws share 200 test patients."""
    of_draws, patients = 0.05, 200
    for fraction in (0.1, 0.5):
        draws = drawn_from_pools(n, REPLICATES, fraction, rng) * of_draws * np.sqrt(POOL * fraction)
        outside = np.zeros(n)
        means = np.empty((n, REPLICATES))
        for experiment in range(n):
            # What makes a patient easier for one encoder whatever the draw, and what differs from draw to draw.
            of_patient = 0.7 * rng.standard_normal(patients)
            values = draws[experiment][:, None] + of_patient + 0.5 * rng.standard_normal((REPLICATES, patients))
            means[experiment] = values.mean(axis=1)
            found = replicate_bootstrap_ci(
                weighted_mean(values), patients, fraction=fraction, n_resamples=1000, seed=experiment
            )
            outside[experiment] = found.ci_low > 0 or found.ci_high < 0
        setting = f"{100 * fraction:g} % of the pool"
        plain = paired_t_test(means, np.zeros(REPLICATES)).p_value
        yield false_alarms(NEW_TEST_SET, "paired t", setting, plain, "misused")
        yield false_alarms(NEW_TEST_SET, "pool t", setting, pool_t_test(means, fraction).p_value, "misused")
        yield false_alarms(NEW_TEST_SET, "replicate x patient bootstrap", setting, 1 - outside)


def margins(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    """Very different accuracies with equal totals, and equal accuracies with errors towards different classes."""
    for setting, correct, bias in (
        ("accuracies 0.79 and 0.54, equal class totals", (0.79, 0.54), (None, None)),
        ("accuracies 0.70 and 0.70, errors towards different classes", (0.7, 0.7), (0, 2)),
    ):
        truth = rng.integers(3, size=(n, 300))
        a, b = (_decisions(truth, rng, *each) for each in zip(correct, bias, strict=True))
        p_margins = stuart_maxwell_test(confusion_between(a, b, 3)).p_value
        p_correct = mcnemar_test(confusion_between(a == truth, b == truth, [True, False])).p_value
        yield false_alarms(MARGINS, "Stuart-Maxwell", setting, p_margins, "misused")
        if correct[0] == correct[1]:
            yield false_alarms(MARGINS, "McNemar", setting, p_correct)
        else:
            only_a, only_b = correct[0] * (1 - correct[1]), correct[1] * (1 - correct[0])
            expected = mcnemar_power(truth.shape[1], only_a, only_b, exact=False)
            yield power_of(MARGINS, "McNemar", setting, p_correct, expected, "all outcomes summed")


def skewed_differences(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    """Few differences of an exponential distribution with mean 0: Wilcoxon's null is its median, and not true here."""
    for pairs in (10, 30, 100):
        a, b = skewed(rng, (n, pairs)), np.zeros(pairs)
        yield false_alarms(SKEWED, "paired t", f"{pairs} pairs", paired_t_test(a, b).p_value, "misused")
        yield false_alarms(SKEWED, "Wilcoxon", f"{pairs} pairs", wilcoxon_test(a, b).p_value, "misused")


def few_discordant(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    """Two equal models that differ on one image of each of a few patients, and agree on 40 patients of two images."""
    for discordant in (4, 5, 6, 8, 12, 20):
        groups = np.concatenate([np.arange(discordant), np.repeat(np.arange(40) + discordant, 2)])
        first = rng.random((n, discordant)) < 0.5
        agree = np.ones((n, len(groups) - discordant), dtype=bool)
        a, b = np.hstack([first, agree]), np.hstack([~first, agree])
        chi_squared = clustered_mcnemar_test(a, b, groups, exact=False).p_value
        name, setting = "McNemar, clustered", f"{discordant} patients"
        yield false_alarms(FEW_DISCORDANT, f"{name}, chi-squared", setting, chi_squared, "misused")
        yield false_alarms(FEW_DISCORDANT, name, setting, clustered_mcnemar_test(a, b, groups).p_value)


def _decisions(truth: np.ndarray, rng: np.random.Generator, correct: float, bias: int | None) -> np.ndarray:
    """Right with this probability; else one of the other two classes, `bias` wherever it is one of them."""
    other = (truth + rng.integers(1, 3, size=truth.shape)) % 3
    if bias is not None:
        other = np.where(truth == bias, other, bias)
    return np.where(rng.random(truth.shape) < correct, truth, other)


def _parts(n: int, most: int) -> list[int]:
    return [min(most, n - start) for start in range(0, n, most)]
