from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import friedmanchisquare

from cxrbench.stats.rank_tests import friedman_test, nemenyi

# Six tasks, four encoders, with ties.
TASKS = np.array(
    [
        [0.81, 0.79, 0.85, 0.80],
        [0.70, 0.70, 0.75, 0.72],
        [0.90, 0.88, 0.90, 0.91],
        [0.66, 0.60, 0.71, 0.60],
        [0.77, 0.75, 0.78, 0.77],
        [0.59, 0.55, 0.59, 0.59],
    ]
)


def test_friedman_agrees_with_r() -> None:
    # R 4.2.2: friedman.test(m).
    found = friedman_test(TASKS)
    assert found.statistic == pytest.approx(12.403846153846153, rel=1e-14)
    assert found.p_value == pytest.approx(0.006120350676578179, rel=1e-12)
    assert (found.df, found.n, found.degenerate) == (3, 6, None)
    np.testing.assert_allclose(found.mean_ranks, np.array([15.5, 7, 21.5, 16]) / 6)
    assert found.estimate == pytest.approx(12.403846153846153 / 18)


def test_iman_davenport_by_hand() -> None:
    found = friedman_test(TASKS)
    chi_squared = 12.403846153846153
    assert found.f_statistic == pytest.approx(5 * chi_squared / (18 - chi_squared), rel=1e-13)
    assert found.f_df == (3, 15)
    # R: pf(11.082474226804122, 3, 15, lower.tail = FALSE).
    assert found.f_p_value == pytest.approx(0.00043219172075983437, rel=1e-12)


@pytest.mark.parametrize(("level", "q", "rounded"), [(0.05, 2.569, 1.25), (0.10, 2.291, 1.12)])
def test_critical_difference_agrees_with_demsar(level: float, q: float, rounded: float) -> None:
    # Demsar 2006: four classifiers on 14 data sets; q from his Table 5(a).
    found = nemenyi(np.random.default_rng(0).random((14, 4)), level=level)
    assert found.critical_difference == pytest.approx(q * np.sqrt(20 / 84), abs=5e-4)
    assert round(found.critical_difference, 2) == rounded


def test_ties_within_blocks_agree_with_scipy() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        blocks = rng.integers(0, 4, (7, 5))
        found, expected = friedman_test(blocks), friedmanchisquare(*blocks.T)
        assert found.statistic == pytest.approx(expected.statistic, rel=1e-12)
        assert found.p_value == pytest.approx(expected.pvalue, rel=1e-11)


def test_full_agreement_has_the_exact_chance_of_agreement_as_f_p() -> None:
    found = friedman_test(np.arange(12).reshape(4, 3))
    assert (found.statistic, found.estimate, found.f_statistic) == (8, 1, np.inf)
    assert found.f_p_value == pytest.approx((1 / 6) ** 3, rel=1e-13)
    tied = friedman_test(np.array([[1, 1, 2], [3, 3, 4]]))
    assert tied.f_p_value == pytest.approx(1 / 3, rel=1e-13)
    assert tied.degenerate is None


def test_all_tied_is_flagged() -> None:
    found = friedman_test(np.full((5, 3), 0.7))
    assert (found.statistic, found.p_value, found.log10_p, found.degenerate) == (0, 1, 0, "all values tied")
    assert (found.f_statistic, found.f_p_value, found.estimate) == (0, 1, 0)
    assert found.mean_ranks.tolist() == [2, 2, 2]
    pairs = nemenyi(np.full((5, 3), 0.7))
    assert pairs.degenerate == "all values tied"
    assert (pairs.p_value == 1).all()
    assert not pairs.different.any()


def test_equal_mean_ranks_are_exactly_nothing() -> None:
    found = friedman_test(np.array([[1.0, 2.0, 3.0], [3.0, 1.0, 2.0], [2.0, 3.0, 1.0]]))
    assert (found.statistic, found.p_value, found.degenerate) == (0, 1, None)


def test_leading_axes_are_sets_of_blocks_of_their_own() -> None:
    sets = np.stack([TASKS, np.full((6, 4), 1.0), TASKS[::-1]])
    found = friedman_test(sets)
    assert found.statistic.tolist() == [friedman_test(TASKS).statistic, 0, friedman_test(TASKS).statistic]
    assert found.mean_ranks.shape == (3, 4)
    assert found.f_p_value.shape == (3,)
    assert found.degenerate.tolist() == [None, "all values tied", None]


def test_nemenyi_pairs_follow_from_mean_ranks() -> None:
    found = nemenyi(TASKS)
    scale = np.sqrt(4 * 5 / (12 * 6))
    # Mean ranks 7 / 6 and 21.5 / 6.
    assert found.estimate[2, 1] == pytest.approx(14.5 / 6, rel=1e-14)
    assert found.statistic[2, 1] == pytest.approx(14.5 / 6 / scale, rel=1e-14)
    # R: ptukey(14.5 / 6 / sqrt(20 / 72), 4, Inf, lower.tail = FALSE).
    assert found.p_value[2, 1] == pytest.approx(0.0065116825735676, rel=1e-10)
    assert (found.p_value == found.p_value.T).all()
    assert (found.p_value.diagonal() == 1).all()
    assert found.log10_p[2, 1] == pytest.approx(np.log10(found.p_value[2, 1]), rel=1e-13)
    assert found.different.tolist() == (np.abs(found.estimate) >= found.critical_difference).tolist()
    assert found.different.sum() == 2
    np.testing.assert_allclose(found.ci_high - found.estimate, found.critical_difference)
    np.testing.assert_allclose(found.estimate - found.ci_low, found.critical_difference)


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        (np.zeros((1, 3)), "two blocks"),
        (np.zeros((3, 1)), "two methods"),
        (np.zeros(3), "n_blocks, k"),
        (np.zeros((0, 0)), "two blocks"),
        ([[0, 1], [np.nan, 1]], "1 values are NaN"),
    ],
)
def test_what_cannot_be_ranked_is_an_error(blocks: object, words: str) -> None:
    for test in (friedman_test, nemenyi):
        with pytest.raises(ValueError, match=words):
            test(np.asarray(blocks))


def test_nemenyi_takes_one_set_of_blocks_and_a_share_as_level() -> None:
    with pytest.raises(ValueError, match="one array"):
        nemenyi(np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="level"):
        nemenyi(TASKS, level=5)


def test_infinite_values_are_ranked() -> None:
    finite = friedman_test(np.array([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]]))
    assert friedman_test(np.array([[-np.inf, 1.0, np.inf], [0.0, 1.0, np.inf]])).p_value == finite.p_value


BLOCKS = st.tuples(st.integers(2, 6), st.integers(2, 5)).flatmap(
    lambda size: st.lists(
        st.lists(st.integers(0, 5), min_size=size[1], max_size=size[1]), min_size=size[0], max_size=size[0]
    )
)


@given(BLOCKS, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_order_direction_and_scale_of_a_block_do_not_matter(blocks: list[list[int]], random: Random) -> None:
    values = np.array(blocks)
    found = friedman_test(values)
    rows, methods = (random.sample(range(size), size) for size in values.shape)
    for other in (values[rows], values[:, methods], -values, np.exp(values) * np.arange(1, len(values) + 1)[:, None]):
        again = friedman_test(other)
        assert again.statistic == found.statistic
        assert again.f_statistic == found.f_statistic
        assert again.f_p_value == pytest.approx(found.f_p_value, rel=1e-12)
    p = nemenyi(values).p_value
    np.testing.assert_allclose(nemenyi(values[:, methods]).p_value, p[np.ix_(methods, methods)], rtol=1e-12)
