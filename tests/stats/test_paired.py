from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from cxrbench.stats.paired import corrected_paired_t_test, paired_t_test, pool_t_test

A = np.array([0.812, 0.797, 0.805, 0.821, 0.799, 0.808, 0.815, 0.802, 0.811, 0.806])
B = np.array([0.795, 0.801, 0.788, 0.806, 0.790, 0.799, 0.797, 0.803, 0.800, 0.784])
SCORES = st.integers(-1000, 1000).map(lambda number: number / 64)
few = settings(max_examples=50, deadline=None)


def test_paired_t_is_that_of_r() -> None:
    # R 4.2.2: t.test(A, B, paired = TRUE)
    found = paired_t_test(A, B)
    assert found.statistic == pytest.approx(4.2571683195071150, rel=1e-13)
    assert found.df == 9
    assert found.p_value == pytest.approx(0.0021199679615815925, rel=1e-12)
    assert found.log10_p == pytest.approx(np.log10(0.0021199679615815925), rel=1e-12)
    assert found.estimate == pytest.approx(0.0113, rel=1e-12)
    assert (found.ci_low, found.ci_high) == pytest.approx((0.0052954509615022001, 0.0173045490384977699), rel=1e-12)
    assert (found.n, found.degenerate) == (10, None)
    ninety = paired_t_test(A, B, level=0.9)
    assert (ninety.ci_low, ninety.ci_high) == pytest.approx((0.0064342830293790815, 0.0161657169706208893), rel=1e-12)


def test_batches_are_tests_of_their_own() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((3, 2, 12)), rng.standard_normal((2, 12))
    found = paired_t_test(a, b)
    truth = stats.ttest_rel(a, np.broadcast_to(b, a.shape), axis=-1)
    np.testing.assert_allclose(found.statistic, truth.statistic, rtol=1e-12)
    np.testing.assert_allclose(found.p_value, truth.pvalue, rtol=1e-11)
    assert found.df.shape == found.n.shape == found.degenerate.shape == (3, 2)
    assert found.estimate[2, 1] == pytest.approx(paired_t_test(a[2, 1], b[1]).estimate, rel=1e-14)


@pytest.mark.parametrize(("a", "b", "sign"), [([0.7, 0.8], [0.6, 0.7], 1), ([0.6, 0.7, 0.1], [0.7, 0.8, 0.2], -1)])
def test_a_difference_constant_up_to_rounding_is_flagged(a: list[float], b: list[float], sign: int) -> None:
    assert len(set(np.subtract(a, b).tolist())) > 1
    found = paired_t_test(np.array(a), np.array(b))
    assert (found.statistic, found.p_value, found.log10_p) == (sign * np.inf, 0.0, -np.inf)
    assert found.degenerate == "all differences are equal"
    assert found.ci_low == found.estimate == found.ci_high == pytest.approx(sign * 0.1)


def test_no_difference_up_to_rounding_is_flagged() -> None:
    for a, b in (([0.5, 0.7, 0.1], [0.5, 0.7, 0.1]), ([0.1 + 0.2, 0.7], [0.3, 0.7])):
        found = paired_t_test(np.array(a), np.array(b))
        assert (found.statistic, found.p_value, found.log10_p, found.estimate) == (0.0, 1.0, 0.0, 0.0)
        assert found.degenerate == "all differences are zero"


def test_differences_in_a_few_last_places_more_than_rounding_are_not_constant() -> None:
    found = paired_t_test(np.array([1.0, 1.0 + 2**-47]), np.array([0.0, 0.0]))
    assert found.degenerate is None
    assert np.isfinite(found.statistic)


def test_one_degenerate_row_does_not_touch_the_others() -> None:
    a = np.stack([A, B, B + 0.25])
    found = paired_t_test(a, B)
    assert found.degenerate.tolist() == [None, "all differences are zero", "all differences are equal"]
    assert found.statistic[0] == paired_t_test(A, B).statistic
    assert found.statistic[2] == np.inf


def test_very_large_and_very_small_scores_keep_their_statistic() -> None:
    usual = paired_t_test(A, B).statistic
    for exponent in (-1000, 1000):
        scaled = paired_t_test(np.ldexp(A, exponent), np.ldexp(B, exponent))
        assert scaled.statistic == usual
        assert np.isfinite([scaled.ci_low, scaled.ci_high]).all()


def test_logarithm_of_p_stays_finite_where_p_underflows() -> None:
    rng = np.random.default_rng(1)
    found = paired_t_test(rng.standard_normal(900) + 30, np.zeros(900))
    assert found.p_value == 0
    assert -2000 < found.log10_p < -308


def test_nadeau_and_bengio_by_hand() -> None:
    # Mean 2, s^2 1: variance 1/3 + 20/80.
    found = corrected_paired_t_test(np.array([1.0, 2.0, 3.0]), 80, 20)
    assert found.statistic == pytest.approx(2 / np.sqrt(7 / 12), rel=1e-14)
    assert found.df == 2
    assert found.p_value == pytest.approx(2 * stats.t.sf(2 / np.sqrt(7 / 12), 2), rel=1e-12)
    assert found.ci_high == pytest.approx(2 + stats.t.ppf(0.975, 2) * np.sqrt(7 / 12), rel=1e-12)


def test_pool_t_by_hand() -> None:
    # Mean 2, s^2 1: variance 1/3 + 0.1/0.9.
    found = pool_t_test(np.array([1.0, 2.0, 3.0]), 0.1)
    assert found.statistic == pytest.approx(2 / np.sqrt(4 / 9), rel=1e-14)
    assert found.df == 2
    assert found.ci_low == pytest.approx(2 - stats.t.ppf(0.975, 2) * 2 / 3, rel=1e-12)


def test_pool_t_takes_a_fraction_for_each_row() -> None:
    differences = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    found = pool_t_test(differences, np.array([0.1, 0.5]))
    assert found.statistic[1] == pytest.approx(pool_t_test(differences[1], 0.5).statistic, rel=1e-14)
    assert found.statistic[1] == pytest.approx(2 / np.sqrt(4 / 3), rel=1e-14)


def test_tests_of_differences_share_the_degenerate_rules() -> None:
    for test in (lambda d: pool_t_test(d, 0.1), lambda d: corrected_paired_t_test(d, 90, 10)):
        assert test(np.array([0.7 - 0.6, 0.8 - 0.7])).degenerate == "all differences are equal"
        assert test(np.array([0.7 - 0.6, 0.8 - 0.7])).statistic == np.inf
        assert test(np.zeros(4)).degenerate == "all differences are zero"
        with pytest.raises(ValueError, match="at least two"):
            test(np.array([0.1]))
        with pytest.raises(ValueError, match="1 values that are not finite"):
            test(np.array([0.1, np.nan]))


def test_the_scale_of_the_scores_tells_rounding_from_a_difference() -> None:
    noise = np.array([1.1e-16, -1.1e-16, 0.0])
    assert pool_t_test(noise, 0.1).degenerate is None
    assert pool_t_test(noise, 0.1, scale=1.0).degenerate == "all differences are zero"
    with pytest.raises(ValueError, match="scale"):
        pool_t_test(noise, 0.1, scale=-1.0)


@pytest.mark.parametrize("fraction", [0.0, 1.0, 10, -0.1, np.nan])
def test_a_fraction_in_per_cent_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"10 % is 0\.1"):
        pool_t_test(np.array([0.1, 0.2]), fraction)


@pytest.mark.parametrize(("n_train", "n_test"), [(0, 10), (10, -1), (np.nan, 10), (10, np.inf)])
def test_sizes_must_be_positive(n_train: float, n_test: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        corrected_paired_t_test(np.array([0.1, 0.2]), n_train, n_test)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ([1.0], [2.0], "at least two"),
        ([], [], "at least two"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], "differ in length"),
        ([1.0, np.nan], [1.0, 2.0], "a holds 1 values"),
        ([1.0, 2.0], [np.inf, 2.0], "b holds 1 values"),
        ([1e308, 2.0], [-1e308, 2.0], "a - b holds 1 values"),
        (["x", "y"], [1.0, 2.0], "real numbers"),
        (1.0, 2.0, "an array"),
    ],
)
def test_bad_input_is_refused(a: list[float], b: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        paired_t_test(np.array(a), np.array(b))


@pytest.mark.parametrize("level", [0.0, 1.0, 95, np.nan])
def test_level_must_be_a_share(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        paired_t_test(A, B, level=level)


@few
@given(arrays.arrays(np.float64, (2, 8), elements=SCORES))
def test_swapping_negates_and_order_shift_and_scale_change_nothing(pair: np.ndarray) -> None:
    a, b = pair
    found, swapped = paired_t_test(a, b), paired_t_test(b, a)
    assert swapped.statistic == -found.statistic
    assert swapped.p_value == found.p_value
    assert (swapped.ci_low, swapped.ci_high) == (-found.ci_high, -found.ci_low)
    order = np.random.default_rng(0).permutation(8)
    # Sixty-fourths are exact: neither shift nor scale rounds.
    for other in (paired_t_test(a[order], b[order]), paired_t_test(a + 2, b + 2), paired_t_test(3 * a, 3 * b)):
        assert other.statistic == pytest.approx(found.statistic, rel=1e-11, abs=1e-13)
        assert other.degenerate == found.degenerate


def test_calibration_over_draws_of_one_pool() -> None:
    """Equal models: the plain t rejects far too often where draws overlap, the pool t as often as it says."""
    rng = np.random.default_rng(7)
    n_experiments, pool_size, n_draws, fraction = 2000, 60, 10, 0.5
    pool = rng.standard_normal((n_experiments, 1, pool_size))
    chosen = rng.random((n_experiments, n_draws, pool_size)).argsort(axis=-1) < fraction * pool_size
    differences = (pool * chosen).sum(axis=-1) / (fraction * pool_size)
    plain = (paired_t_test(differences, np.zeros(n_draws)).p_value < 0.05).mean()
    corrected = (pool_t_test(differences, fraction).p_value < 0.05).mean()
    assert plain > 0.4
    assert 0.036 < corrected < 0.065


@pytest.mark.parametrize("fraction", [[0.1, 0.2], np.full(5, 0.1)])
def test_scores_of_the_other_model_in_the_place_of_the_fraction_are_refused(fraction: object) -> None:
    with pytest.raises(ValueError, match="differences are a - b in one array"):
        pool_t_test(np.arange(5.0), fraction)  # type: ignore[arg-type]
