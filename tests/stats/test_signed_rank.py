from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from cxrbench.stats.signed_rank import wilcoxon_test

# Hollander and Wolfe's depression scores, the example of R's wilcox.test.
A = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
B = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
few = settings(max_examples=50, deadline=None)


def test_exact_test_is_that_of_r() -> None:
    # R 4.2.2: wilcox.test(A, B, paired = TRUE, conf.int = TRUE)
    found = wilcoxon_test(A, B)
    assert (found.statistic, found.n, found.degenerate) == (40.0, 9, None)
    assert found.p_value == 0.0390625
    assert found.log10_p == pytest.approx(np.log10(0.0390625), rel=1e-14)
    assert found.estimate == pytest.approx(0.46, rel=1e-12)
    assert (found.ci_low, found.ci_high) == pytest.approx((0.010, 0.786), rel=1e-12)


def test_normal_approximation_is_that_of_r() -> None:
    # R: exact = FALSE, with and without correct = FALSE
    assert wilcoxon_test(A, B, exact=False).p_value == pytest.approx(0.044010984012951455, rel=1e-13)
    plain = wilcoxon_test(A, B, exact=False, correction=False)
    assert plain.p_value == pytest.approx(0.038151710173415156, rel=1e-13)


def test_ties_and_zeros_go_to_the_corrected_normal_approximation_as_in_r() -> None:
    differences = np.array([3, -1, 2, 2, -2, 5, 0, 1, 4, 4, 0, -3])
    found = wilcoxon_test(differences, np.zeros(12))
    assert (found.statistic, found.n) == (43.0, 10)
    assert found.p_value == pytest.approx(0.12455332833624265, rel=1e-13)
    sixty = (np.arange(1, 61) * 7919) % 101 - 40
    many = wilcoxon_test(sixty, np.zeros(60))
    assert (many.statistic, many.n) == (1210.5, 59)
    assert many.p_value == pytest.approx(1.4156181571652283e-02, rel=1e-13)
    # R interpolates: 10.49992, 2.49997 to 18.99993 of the differences without the zero.
    assert many.estimate == pytest.approx(10.5, abs=0.6)
    assert (many.ci_low, many.ci_high) == pytest.approx((2.5, 19.0), abs=0.6)


def test_exact_with_ties_is_that_of_coin() -> None:
    # coin 1.4: wilcoxsign_test(d ~ 0, distribution = "exact")
    differences = np.array([3, -1, 2, 2, -2, 5, 1, 4, 4, -3])
    assert wilcoxon_test(differences, np.zeros(10), exact=True).p_value == pytest.approx(0.12890625, rel=1e-14)
    with_zeros = np.append(differences, [0, 0, 0])
    assert wilcoxon_test(with_zeros, np.zeros(13), exact=True).p_value == pytest.approx(0.12890625, rel=1e-14)


def test_exact_with_ties_by_counting_all_signs() -> None:
    magnitude = np.array([1.0, 1.0, 2.0, 2.0, 2.0, 5.0])
    ranks = stats.rankdata(magnitude)
    signs = (np.arange(64)[:, None] >> np.arange(6)) & 1
    sums = signs @ ranks
    for row in signs:
        v = row @ ranks
        tail = min((sums <= v).mean(), (sums >= v).mean())
        found = wilcoxon_test(np.where(row, magnitude, -magnitude), np.zeros(6), exact=True)
        assert found.p_value == min(2 * tail, 1.0)


def test_batches_are_tests_of_their_own() -> None:
    rng = np.random.default_rng(3)
    a = rng.standard_normal((2, 3, 20))
    a[0, 1] = a[0, 1].round()
    a[1, 2] = 0
    found = wilcoxon_test(a, np.zeros(20))
    for index in np.ndindex(2, 3):
        alone = wilcoxon_test(a[index], np.zeros(20))
        for name in ("statistic", "p_value", "log10_p", "estimate", "ci_low", "ci_high", "n", "degenerate"):
            assert getattr(found, name)[index] == getattr(alone, name)


def test_agrees_with_scipy() -> None:
    rng = np.random.default_rng(4)
    for n in (8, 30, 49):
        differences = rng.standard_normal(n) + 0.3
        truth = stats.wilcoxon(differences, method="exact")[1]
        assert wilcoxon_test(differences, np.zeros(n)).p_value == pytest.approx(truth, rel=1e-12)
    differences = rng.standard_normal(200).round(1) + 0.1
    truth = stats.wilcoxon(differences, method="approx", correction=True)[1]
    assert wilcoxon_test(differences, np.zeros(200)).p_value == pytest.approx(truth, rel=1e-12)


def test_pseudo_median_of_many_pairs_is_that_of_all_averages() -> None:
    differences = np.random.default_rng(5).standard_normal(1101).round(3)
    i, j = np.triu_indices(1101)
    averages = np.sort((differences[i] + differences[j]) / 2)
    found = wilcoxon_test(differences, np.zeros(1101))
    assert found.estimate == pytest.approx(np.median(averages), abs=1e-14)
    outside = int(np.searchsorted(averages, found.ci_low + 1e-12))
    # The normal quantile of V leaves out about mean - 1.96 sd averages.
    sd = np.sqrt(1101 * 1102 * 2203 / 24)
    assert outside == pytest.approx(1101 * 1102 / 4 - 1.959964 * sd, rel=0.01)


def test_interval_is_undefined_where_too_few_pairs_reach_the_level() -> None:
    five, six = (wilcoxon_test(A[:n], B[:n]) for n in (5, 6))
    assert np.isnan([five.ci_low, five.ci_high]).all()
    # R for six pairs: the least and the largest difference, -0.147 to 1.022.
    assert (six.ci_low, six.ci_high) == pytest.approx((-0.147, 1.022), rel=1e-12)


def test_no_difference_is_flagged() -> None:
    found = wilcoxon_test(A, A)
    assert (found.statistic, found.p_value, found.log10_p, found.n) == (0.0, 1.0, 0.0, 0)
    assert (found.estimate, found.ci_low, found.ci_high) == (0.0, 0.0, 0.0)
    assert found.degenerate == "all differences are zero"
    assert wilcoxon_test(A, A, exact=True).p_value == 1.0


def test_one_pair_says_nothing() -> None:
    assert wilcoxon_test(np.array([2.0]), np.array([1.0])).p_value == 1.0


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ([], [], "no pairs"),
        ([1.0, 2.0], [1.0], "differ in length"),
        ([np.nan, 2.0], [1.0, 2.0], "not finite"),
        (np.arange(1.0, 1002.0), np.zeros(1001), "1000 at most"),
    ],
)
def test_bad_input_is_refused(a: list[float], b: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wilcoxon_test(np.array(a), np.array(b), exact=True)
    with pytest.raises(ValueError, match="level"):
        wilcoxon_test(A, B, level=2)


@few
@given(arrays.arrays(np.int64, (2, 9), elements=st.integers(-4, 4)))
def test_swapping_mirrors_and_order_and_scale_change_nothing(pair: np.ndarray) -> None:
    a, b = pair.astype(np.float64)
    for exact in (None, True):
        found, swapped = wilcoxon_test(a, b, exact=exact), wilcoxon_test(b, a, exact=exact)
        assert found.statistic + swapped.statistic == found.n * (found.n + 1) / 2
        assert swapped.p_value == found.p_value
        assert swapped.estimate == -found.estimate
        order = np.random.default_rng(0).permutation(9)
        for other in (
            wilcoxon_test(a[order], b[order], exact=exact),
            wilcoxon_test(a + 3, b + 3, exact=exact),
            wilcoxon_test(4 * a, 4 * b, exact=exact),
        ):
            assert (other.statistic, other.p_value, other.n) == (found.statistic, found.p_value, found.n)
