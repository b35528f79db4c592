from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cxrbench.stats.bootstrap import bootstrap_ci
from cxrbench.stats.paired import pool_t_test
from cxrbench.stats.replicate_bootstrap import replicate_bootstrap_ci
from cxrbench.stats.weighted import weighted_auc, weighted_mean


def test_without_a_test_sets_part_it_is_the_t_interval() -> None:
    # Every patient says the same, replicates differ.
    of_replicates = np.array([0.01, 0.03, 0.02, 0.05])
    values = np.repeat(of_replicates[:, None], 30, axis=1)
    for fraction in (None, 0.1, 0.5):
        found = replicate_bootstrap_ci(weighted_mean(values), 30, fraction=fraction, n_resamples=20_000)
        factor = 1 / 4 + (0 if fraction is None else fraction / (1 - fraction))
        half_width = stats.t.ppf(0.975, 3) * of_replicates.std(ddof=1) * np.sqrt(factor)
        assert found.estimate == pytest.approx(0.0275, rel=1e-12)
        expected = (0.0275 - half_width, 0.0275 + half_width)
        assert (found.ci_low, found.ci_high) == pytest.approx(expected, abs=2e-3 * half_width)
        if fraction is not None:
            assert pool_t_test(of_replicates, fraction).ci_low == pytest.approx(expected[0], rel=1e-9)


def test_without_a_training_part_it_is_the_percentile_bootstrap() -> None:
    values = np.random.default_rng(0).standard_normal(80)
    alone = bootstrap_ci("mean", values, method="percentile", n_resamples=500)
    same = replicate_bootstrap_ci([weighted_mean(values)] * 3, 80, fraction=0.5, n_resamples=500)
    assert (same.ci_low, same.ci_high) == pytest.approx((alone.ci_low, alone.ci_high), rel=1e-12)
    one = replicate_bootstrap_ci([weighted_mean(values)], 80, n_resamples=500)
    assert (one.ci_low, one.ci_high, one.method) == (alone.ci_low, alone.ci_high, "patients")


def test_two_forms_of_the_metric_any_batch_and_groups_of_one_agree() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random(200) < 0.3
    scores = rng.standard_normal((3, 200)) + truth
    stacked = weighted_auc(truth, scores)
    listed = [weighted_auc(truth, score) for score in scores]
    first = replicate_bootstrap_ci(stacked, 200, fraction=0.1, n_resamples=300)
    for other in (
        replicate_bootstrap_ci(listed, 200, fraction=0.1, n_resamples=300, batch=7),
        replicate_bootstrap_ci(listed, groups=np.arange(200), fraction=0.1, n_resamples=300),
    ):
        np.testing.assert_array_equal(first.distribution, other.distribution)
        assert (first.ci_low, first.ci_high, first.estimate) == (other.ci_low, other.ci_high, other.estimate)
    assert first.method == "patients and replicates"
    assert (first.n, first.n_units, first.n_resamples) == (200, 200, 300)
    with_patients = replicate_bootstrap_ci(stacked, groups=np.arange(200) // 4, fraction=0.1, n_resamples=300)
    assert with_patients.n_units == 50


def test_undefined_resamples_are_left_out_and_no_difference_is_flagged() -> None:
    truth, score = np.array([1, 1, 0, 0, 0, 0, 0, 0]), np.array([5.0, 2, 1, 3, 2, 6, 0, 4])
    found = replicate_bootstrap_ci([weighted_auc(truth, score), weighted_auc(truth, score**2)], 8)
    assert 100 < found.n_undefined < 300
    assert "undefined" in found.degenerate
    area = weighted_auc(truth, score)
    nothing = replicate_bootstrap_ci([lambda weights: area(weights) - area(weights)] * 2, 8)
    assert (nothing.ci_low, nothing.estimate, nothing.ci_high) == (0, 0, 0)
    assert nothing.degenerate == "the metric is the same on all resamples"


@pytest.mark.parametrize("sd_of_training", [0.05, 0.3])
def test_coverage_where_pool_draws_and_patients_are_new(sd_of_training: float) -> None:
    """Patients alone, or draws alone, cover too seldom in one of the two worlds; both together in either."""
    rng = np.random.default_rng(2)
    covered = np.zeros((2, 250), dtype=bool)
    for index in range(250):
        pool, by_pool = rng.standard_normal(60) * sd_of_training, 0.6 * rng.standard_normal((60, 50))
        draws = rng.random((6, 60)).argsort(axis=1) < 30
        values = 0.6 * rng.standard_normal(50) + (draws @ pool[:, None] + draws @ by_pool) / np.sqrt(30)
        found = replicate_bootstrap_ci(weighted_mean(values), 50, fraction=0.5, n_resamples=300, seed=index)
        draws_alone = pool_t_test(values.mean(axis=1), 0.5)
        covered[:, index] = [each.ci_low <= 0 <= each.ci_high for each in (found, draws_alone)]
    assert covered[0].mean() == pytest.approx(0.95, abs=0.04)
    if sd_of_training < 0.1:
        assert covered[1].mean() < 0.9


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fraction": 10}, r"10 % is 0\.1"),
        ({"level": 2}, "level"),
        ({"n_resamples": 0}, "at least two"),
        ({"groups": np.zeros(9)}, "a bootstrap needs two"),
        ({"n_samples": None}, "n_samples is needed"),
        ({"n_samples": 8}, r"must be \[resamples, 9 samples\]"),
        ({"n_resamples": 10.5}, "whole number"),
        ({"batch": -1}, "batch -1"),
    ],
)
def test_bad_requests_are_refused(options: dict, words: str) -> None:
    metric = weighted_mean(np.random.default_rng(3).standard_normal((2, 9)))
    with pytest.raises(ValueError, match=words):
        replicate_bootstrap_ci(metric, **{"n_samples": 9, **options})


def test_one_replicate_has_no_pool_and_no_replicates_are_an_error() -> None:
    metric = weighted_mean(np.arange(9.0))
    with pytest.raises(ValueError, match="one replicate"):
        replicate_bootstrap_ci([metric], 9, fraction=0.1)
    with pytest.raises(ValueError, match="one for each replicate"):
        replicate_bootstrap_ci(metric, 9)
    with pytest.raises(ValueError, match="no replicates"):
        replicate_bootstrap_ci([], 9)
