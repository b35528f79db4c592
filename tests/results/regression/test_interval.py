"""Paired intervals: by hand, in degenerate cases, and how often they hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cxrbench.results.regression.influence import Scored
from cxrbench.results.regression.interval import paired_interval


def cell(values: np.ndarray, influences: np.ndarray) -> Scored:
    return Scored(values, influences, influences.shape[1], (frozenset(),) * len(values))


def nothing(replicates: int, patients: int) -> Scored:
    return cell(np.zeros(replicates), np.zeros((replicates, patients)))


def test_one_replicate_gives_the_t_interval_over_patients() -> None:
    differences = np.array([0.3, -0.1, 0.0, 0.4, -0.2])
    new = cell(np.array([differences.mean()]), (differences - differences.mean())[None] / 5)
    found = paired_interval(nothing(1, 5), new, True, 0.95)
    truth = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((truth.low, truth.high))


def test_replicates_that_differ_by_chance_of_training_alone_give_the_t_interval_over_replicates() -> None:
    values = np.array([0.02, -0.01, 0.03, 0.00, 0.01])
    found = paired_interval(nothing(5, 50), cell(values, np.zeros((5, 50))), True, 0.9)
    truth = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((truth.low, truth.high))


def test_few_replicates_speak_of_themselves_only() -> None:
    influences = np.array([[0.01, -0.01, 0.0], [0.01, -0.01, 0.0]])
    found = paired_interval(nothing(2, 3), cell(np.array([0.3, -0.1]), influences), True, 0.95)
    half = stats.t.ppf(0.975, 2) * np.sqrt(3 / 2 * 2e-4)
    assert (found.difference, found.high - found.difference) == pytest.approx((0.1, half))


def test_the_sign_makes_higher_better() -> None:
    new = cell(np.array([0.2]), np.array([[0.01, -0.01, 0.0]]))
    up, down = (paired_interval(nothing(1, 3), new, higher, 0.95) for higher in (True, False))
    assert (up.difference, up.low, up.high) == pytest.approx((-down.difference, -down.high, -down.low))


def test_identical_trials_differ_by_exactly_nothing() -> None:
    rng = np.random.default_rng(0)
    same = cell(rng.random(10), rng.standard_normal((10, 40)))
    found = paired_interval(same, same, True, 0.95)
    assert (found.difference, found.low, found.high) == (0, 0, 0)


def test_one_patient_bounds_nothing() -> None:
    found = paired_interval(nothing(1, 1), cell(np.array([0.1]), np.zeros((1, 1))), True, 0.95)
    assert (found.low, found.high) == (-np.inf, np.inf)


@pytest.mark.parametrize(("replicates", "between"), [(1, 0.0), (3, 0.0), (10, 0.0), (5, 2.0), (10, 0.3), (10, 2.0)])
def test_the_interval_holds_the_truth_as_often_as_it_says(replicates: int, between: float) -> None:
    rng = np.random.default_rng(1)
    repeats, patients = 800, 60
    held = 0
    for _ in range(repeats):
        # A patient part that all replicates share, one of each replicate alone, and chance of training.
        unit = rng.standard_normal(patients) + rng.standard_normal((replicates, patients))
        shift = rng.standard_normal(replicates) * np.sqrt(between / patients)
        values = unit.mean(axis=1) + shift
        new = cell(values, (unit - unit.mean(axis=1, keepdims=True)) / patients)
        found = paired_interval(nothing(replicates, patients), new, True, 0.95)
        held += found.low <= 0 <= found.high
    assert 0.925 <= held / repeats <= 0.985
