from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import f1_score, roc_auc_score

from cxrbench.stats.auc import auc
from cxrbench.stats.bootstrap import bootstrap_ci
from cxrbench.stats.weighted import weighted_auc

few = settings(max_examples=30, deadline=None)


def samples(n: int = 120, decimals: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.3
    return truth, (rng.standard_normal(n) + truth).round(decimals)


def plain_auc(y_true: np.ndarray, score: np.ndarray) -> np.ndarray:
    return auc(y_true, score)


@pytest.mark.parametrize("method", ["BCa", "percentile"])
def test_intervals_are_those_of_scipy_on_the_same_resamples(method: str) -> None:
    truth, score = samples()
    ours = bootstrap_ci("auc", truth, score, method=method.lower(), n_resamples=999)
    theirs = stats.bootstrap(
        (truth, score),
        lambda y, s, axis: auc(y, s),
        paired=True,
        vectorized=True,
        method=method,
        n_resamples=0,
        bootstrap_result=SimpleNamespace(bootstrap_distribution=ours.distribution),  # type: ignore[arg-type]
    )
    assert (ours.ci_low, ours.ci_high) == pytest.approx(tuple(theirs.confidence_interval), abs=1e-12)
    assert ours.se == pytest.approx(theirs.standard_error, rel=1e-12)
    assert ours.estimate == auc(truth, score)
    assert (ours.n, ours.n_units, ours.n_resamples, ours.n_undefined) == (120, 120, 999, 0)
    assert ours.method == method.lower()
    assert ours.degenerate is None


def test_skewed_mean_agrees_with_scipys_own_resamples() -> None:
    values = np.random.default_rng(1).exponential(size=60)
    ours = bootstrap_ci(np.mean, values, n_resamples=20_000)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, rng=np.random.default_rng(2))
    assert (ours.ci_low, ours.ci_high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.012)
    assert ours.se == pytest.approx(values.std() / np.sqrt(60), rel=0.02)
    # Skewed to the right, so is the interval.
    assert ours.ci_high - ours.estimate > ours.estimate - ours.ci_low


@pytest.mark.filterwarnings("ignore:Only one class")
def test_plain_and_weighted_ways_give_the_same_bits() -> None:
    truth, score = samples()
    patients = np.random.default_rng(3).integers(0, 40, 120)
    for groups in (None, patients):
        quick = bootstrap_ci(auc, truth, score, groups=groups, n_resamples=200)
        plain = bootstrap_ci(plain_auc, truth, score, groups=groups, n_resamples=200)
        named = bootstrap_ci("auc", truth, score, groups=groups, n_resamples=200)
        loop = bootstrap_ci(roc_auc_score, truth, score, groups=groups, n_resamples=200)
        np.testing.assert_array_equal(quick.distribution, plain.distribution)
        np.testing.assert_array_equal(quick.distribution, named.distribution)
        np.testing.assert_allclose(quick.distribution, loop.distribution, atol=1e-14)
        assert (quick.ci_low, quick.ci_high) == (plain.ci_low, plain.ci_high)


def test_metrics_that_take_no_batches_are_called_one_by_one() -> None:
    truth, score = samples()
    found = bootstrap_ci(f1_score, truth, score > 0.5, n_resamples=50, method="percentile")
    assert found.estimate == f1_score(truth, score > 0.5)
    assert 0.3 < found.ci_low < found.estimate < found.ci_high < 1


def test_an_axis_is_used() -> None:
    values = np.random.default_rng(4).standard_normal((2, 50))
    found = bootstrap_ci(np.median, values, n_resamples=100)
    assert found.ci_low.shape == found.degenerate.shape == (2,)
    assert found.distribution.shape == (2, 100)
    assert found.ci_low[1] == bootstrap_ci(np.median, values[1], n_resamples=100).ci_low


@pytest.mark.parametrize("n_samples", [30, 1500])
def test_seed_decides_and_the_batch_does_not(n_samples: int) -> None:
    truth, score = samples(n_samples, 2)
    groups = np.arange(n_samples) // 2
    first = bootstrap_ci("auc", truth, score, groups=groups, n_resamples=101)
    for batch in (1, 7, 1000):
        again = bootstrap_ci("auc", truth, score, groups=groups, n_resamples=101, batch=batch)
        np.testing.assert_array_equal(first.distribution, again.distribution)
        assert (first.ci_low, first.ci_high) == (again.ci_low, again.ci_high)
    other = bootstrap_ci("auc", truth, score, groups=groups, n_resamples=101, seed=1)
    assert (first.distribution != other.distribution).any()


@few
@given(st.integers(0, 10_000), st.sampled_from([0, 1, 3]))
def test_groups_of_one_change_nothing(seed: int, decimals: int) -> None:
    truth, score = samples(60, decimals, seed)
    alone = bootstrap_ci("auc", truth, score, n_resamples=50)
    for groups in (np.arange(60), np.array([f"patient {number}" for number in range(60)])):
        grouped = bootstrap_ci("auc", truth, score, groups=groups, n_resamples=50)
        np.testing.assert_array_equal(alone.distribution, grouped.distribution)
        assert (alone.ci_low, alone.ci_high) == (grouped.ci_low, grouped.ci_high)


def test_patients_are_drawn_whole() -> None:
    # Every image four times: by patients the standard error is that of the single images, by images half of it.
    values = np.random.default_rng(5).standard_normal(100)
    single = bootstrap_ci("mean", values)
    repeated, patients = np.repeat(values, 4), np.repeat(np.arange(100), 4)
    by_patient = bootstrap_ci("mean", repeated, groups=patients)
    np.testing.assert_allclose(by_patient.distribution, single.distribution, atol=1e-14)
    assert (by_patient.n, by_patient.n_units) == (400, 100)
    assert by_patient.ci_low == pytest.approx(single.ci_low, abs=1e-12)
    assert bootstrap_ci("mean", repeated).se == pytest.approx(single.se / 2, rel=0.1)


def test_patients_of_different_size_by_plain_functions() -> None:
    values = np.random.default_rng(6).standard_normal(90)
    groups = np.repeat(np.arange(30), np.tile([1, 3, 5], 10))
    plain = bootstrap_ci(np.mean, values, groups=groups, n_resamples=100)
    np.testing.assert_allclose(
        plain.distribution, bootstrap_ci("mean", values, groups=groups, n_resamples=100).distribution, atol=1e-14
    )


def test_a_difference_of_two_models_is_paired() -> None:
    truth, score = samples(300, 3)
    other = score + 0.3 * np.random.default_rng(7).standard_normal(300)
    named = bootstrap_ci("auc_difference", truth, score, other, n_resamples=300)
    a, b = weighted_auc(truth, score), weighted_auc(truth, other)
    composed = bootstrap_ci(lambda weights: a(weights) - b(weights), weighted=True, n_samples=300, n_resamples=300)
    np.testing.assert_array_equal(named.distribution, composed.distribution)
    assert named.estimate == auc(truth, score) - auc(truth, other)
    assert named.se < bootstrap_ci("auc", truth, score, n_resamples=300).se / 2
    means = bootstrap_ci("mean_difference", score, other, n_resamples=300)
    assert means.se == pytest.approx(bootstrap_ci("mean", score - other, n_resamples=300).se, rel=1e-9)


def test_a_weighted_function_is_given_the_arrays_and_the_weights() -> None:
    values = np.random.default_rng(8).standard_normal(40)
    found = bootstrap_ci(lambda x, weights: weights @ x / weights.sum(axis=1), values, weighted=True)
    np.testing.assert_allclose(found.distribution, bootstrap_ci("mean", values).distribution, atol=1e-14)
    with_metric = bootstrap_ci(weighted_auc(*samples(40)), weighted=True, groups=np.arange(40))
    assert with_metric.estimate == auc(*samples(40))


def test_accuracy_of_named_classes() -> None:
    truth, decided = np.array(["a", "b", "c", "a"] * 20), np.array(["a", "b", "b", "a"] * 20)
    found = bootstrap_ci("accuracy", truth, decided)
    assert found.estimate == 0.75
    assert found.se == pytest.approx(np.sqrt(0.75 * 0.25 / 80), rel=0.05)


def test_resamples_with_one_class_are_left_out_counted_and_flagged() -> None:
    truth, score = np.array([1, 1, 0, 0, 0, 0, 0, 0]), np.array([5.0, 2, 1, 3, 2, 6, 0, 4])
    quick = bootstrap_ci("auc", truth, score)
    # No positive in eight draws: 0.75^8 = 10 %.
    assert quick.n_undefined == pytest.approx(200, abs=45)
    assert quick.degenerate == f"undefined on {quick.n_undefined} of 2000 resamples"
    assert np.isnan(quick.distribution).sum() == quick.n_undefined
    assert 0 <= quick.ci_low < quick.ci_high <= 1
    plain = bootstrap_ci(plain_auc, truth, score)
    np.testing.assert_array_equal(plain.distribution, quick.distribution)
    rare = bootstrap_ci("auc", np.arange(40) < 6, np.random.default_rng(0).standard_normal(40))
    assert rare.n_undefined > 0
    assert rare.degenerate is None


def test_a_constant_metric_is_flagged() -> None:
    found = bootstrap_ci("auc", np.arange(40) < 20, -np.arange(40.0))
    assert found.ci_low == found.estimate == found.ci_high == 1
    assert found.se == 0
    assert found.degenerate == "the metric is the same on all resamples"
    truth, score = samples()
    assert bootstrap_ci("auc_difference", truth, score, score).degenerate is not None
    assert bootstrap_ci(np.mean, np.full(10, 0.1)).degenerate is not None


def test_an_estimate_beside_all_resamples_is_flagged() -> None:
    values = np.arange(300.0)
    # Distinct values: a resample hardly ever has all of them.
    found = bootstrap_ci(lambda x: float(len(np.unique(x))), values, n_resamples=100)
    assert found.degenerate == "all resamples lie on one side of the estimate"
    assert np.isfinite([found.ci_low, found.ci_high]).all()
    percentile = bootstrap_ci(lambda x: float(len(np.unique(x))), values, n_resamples=100, method="percentile")
    assert percentile.degenerate is None


def test_jackknife_of_many_units_by_blocks_hardly_moves_the_interval() -> None:
    values = np.random.default_rng(9).exponential(size=1600)
    found = bootstrap_ci("mean", values, n_resamples=4000)
    theirs = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=0,
        bootstrap_result=SimpleNamespace(bootstrap_distribution=found.distribution),  # type: ignore[arg-type]
    )
    assert (found.ci_low, found.ci_high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.02 * found.se)


def test_coverage_of_a_clustered_mean() -> None:
    rng = np.random.default_rng(10)
    covered = np.zeros((2, 200), dtype=bool)
    groups = np.repeat(np.arange(40), 4)
    for index in range(200):
        values = np.repeat(rng.standard_normal(40), 4) + 0.3 * rng.standard_normal(160)
        for row, names in enumerate((groups, None)):
            found = bootstrap_ci("mean", values, groups=names, n_resamples=300, seed=index)
            covered[row, index] = found.ci_low <= 0 <= found.ci_high
    assert covered[0].mean() == pytest.approx(0.95, abs=0.045)
    assert covered[1].mean() < 0.8


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (("auc", [0, 1], [0.1, np.nan]), {}, "1 values are NaN"),
        (("auc", [0, 1], [0.1, 0.2, 0.3]), {}, "differ in length"),
        (("auc", [0, 1]), {}, "takes 2 arrays"),
        (("auc", [1, 1], [0.1, 0.2]), {}, "one class"),
        (("kappa", [0, 1], [0, 1]), {}, "must be a function or one of"),
        (("mean", [1.0]), {}, "a bootstrap needs two"),
        (("mean", []), {}, "no samples"),
        (("mean", ["a", "b"]), {}, "real numbers"),
        (("mean", [1.0, 2.0]), {"groups": np.array([1, 1])}, "a bootstrap needs two"),
        (("mean", [1.0, 2.0]), {"groups": np.array([1, 2, 3])}, "groups"),
        (("mean", [1.0, 2.0]), {"groups": np.array([1, np.nan])}, "1 groups are missing"),
        (("mean", [1.0, 2.0]), {"method": "studentized"}, "one of bca, percentile"),
        (("mean", [1.0, 2.0]), {"level": 95}, "level"),
        (("mean", [1.0, 2.0]), {"n_resamples": 1}, "at least two"),
        (("mean", [1.0, 2.0]), {"n_resamples": 10.5}, "n_resamples 10.5 must be a whole number"),
        (("mean", [1.0, 2.0]), {"batch": -1}, "batch -1: at least one"),
        (("mean", [1.0, 2.0]), {"batch": 2.5}, "batch 2.5 must be a whole number"),
        ((auc, [0, 1]), {}, "auc takes 2 arrays"),
        ((np.mean,), {}, "at least one array"),
        ((np.mean, []), {}, "no samples"),
        ((np.mean, 3.0), {}, "axis of samples"),
        ((lambda weights: weights,), {"weighted": True}, "needs n_samples"),
        ((lambda weights: 1.0,), {"weighted": True, "n_samples": 9}, r"\[\.\.\., B\]"),
        ((lambda x: x.mean(axis=-1) * np.nan, [1.0, 2.0]), {}, "undefined on the whole sample"),
    ],
)
def test_bad_requests_are_refused(arguments: tuple, options: dict, words: str) -> None:
    metric, *given_arrays = arguments
    with pytest.raises(ValueError, match=words):
        bootstrap_ci(metric, *(np.array(array) for array in given_arrays), **options)
