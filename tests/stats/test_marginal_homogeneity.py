from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cxrbench.stats.marginal_homogeneity import bowker_test, stuart_maxwell_test
from cxrbench.stats.result import TestResult

TableTest = Callable[[np.ndarray], TestResult]

# R 4.2.2: coin 1.4-2 mh_test(as.table(m)) and mcnemar.test(m). statsmodels 0.15 SquareTable(m, shift_zeros=False)
# .homogeneity("stuart_maxwell") gives 3.2815177478580124, p 0.3502233252335626; .symmetry() 12.392857142857142.
FOUR = np.array([[90, 12, 4, 7], [20, 80, 9, 2], [3, 15, 70, 11], [1, 6, 5, 60]])
# Two blocks that share no sample, and a category that nobody used.
BLOCKS = np.zeros((5, 5), dtype=int)
BLOCKS[:4, :4] = [[20, 10, 0, 0], [3, 30, 0, 0], [0, 0, 40, 7], [0, 0, 2, 11]]


def test_stuart_maxwell_agrees_with_coin() -> None:
    found = stuart_maxwell_test(FOUR)
    assert found.statistic == pytest.approx(3.2815177478580151, rel=1e-13)
    assert found.df == 3
    assert found.p_value == pytest.approx(0.35022332523356259, rel=1e-13)
    assert found.log10_p == pytest.approx(np.log10(0.35022332523356259), rel=1e-13)
    assert found.n == 395
    assert found.degenerate is None
    assert np.isnan(found.estimate)


def test_stuart_maxwell_has_the_degrees_of_freedom_of_a_singular_covariance() -> None:
    # coin: chi-squared 6.547008547008546, df 2, p 0.03787347524562279. By hand: 7^2 / 13 + 5^2 / 9.
    found = stuart_maxwell_test(BLOCKS)
    assert found.statistic == pytest.approx(49 / 13 + 25 / 9, rel=1e-14)
    assert found.df == 2
    assert found.p_value == pytest.approx(0.03787347524562279, rel=1e-13)


def test_stuart_maxwell_works_without_a_diagonal() -> None:
    # coin: 0.40540540540540504, df 2, p 0.81652095481785858.
    found = stuart_maxwell_test(np.array([[0, 6, 0], [0, 0, 5], [4, 0, 0]]))
    assert found.statistic == pytest.approx(0.40540540540540504, rel=1e-13)
    assert found.p_value == pytest.approx(0.81652095481785858, rel=1e-13)


def test_stuart_maxwell_of_two_categories_is_mcnemar_without_correction() -> None:
    # R: mcnemar.test(matrix(c(794, 150, 86, 570), 2), correct = FALSE).
    found = stuart_maxwell_test(np.array([[794, 150], [86, 570]]))
    assert found.statistic == pytest.approx(17.35593220338983, rel=1e-14)
    assert found.p_value == pytest.approx(3.0992934410452182e-05, rel=1e-12)


def test_stuart_maxwell_of_equal_totals_is_exactly_nothing() -> None:
    found = stuart_maxwell_test(np.array([[5, 3, 1], [1, 5, 3], [3, 1, 5]]))
    assert (found.statistic, found.df, found.p_value, found.degenerate) == (0, 2, 1, None)


def test_logarithm_of_p_stays_finite_where_p_underflows() -> None:
    found = stuart_maxwell_test(np.array([[0, 4000], [0, 9]]))
    assert found.statistic == 4000
    assert found.p_value == 0
    assert found.log10_p == pytest.approx(-870.48816224652821864, rel=1e-13)


def test_bowker_agrees_with_r() -> None:
    found = bowker_test(FOUR)
    assert found.statistic == pytest.approx(12.392857142857142, rel=1e-14)
    assert found.df == 6
    assert found.p_value == pytest.approx(0.053757031963945476, rel=1e-13)


def test_bowker_counts_only_pairs_that_occur() -> None:
    found = bowker_test(BLOCKS)
    assert found.statistic == pytest.approx(49 / 13 + 25 / 9, rel=1e-14)
    assert found.df == 2


@pytest.mark.parametrize("test", [stuart_maxwell_test, bowker_test])
@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (np.zeros((3, 3)), "no counts"),
        ([[0]], "no counts"),
        ([[7]], "one category only"),
        ([[0, 0], [0, 7]], "one category only"),
        ([[4, 0, 0], [0, 9, 0], [0, 0, 2]], "no disagreement"),
    ],
)
def test_nothing_to_test_is_flagged(test: TableTest, table: object, reason: str) -> None:
    found = test(np.asarray(table))
    assert (found.statistic, found.df, found.p_value, found.log10_p) == (0, 0, 1, 0)
    assert found.degenerate == reason


@pytest.mark.parametrize("test", [stuart_maxwell_test, bowker_test])
def test_leading_axes_are_tables_of_their_own(test: TableTest) -> None:
    four = np.pad(FOUR, (0, 1))
    found = test(np.stack([[four, BLOCKS], [np.zeros((5, 5)), np.eye(5)]]))
    alone = test(BLOCKS)
    assert found.statistic.shape == found.df.shape == found.p_value.shape == found.n.shape == (2, 2)
    assert found.statistic[0, 1] == pytest.approx(alone.statistic, rel=1e-14)
    assert found.df.tolist() == [[3 if test is stuart_maxwell_test else 6, 2], [0, 0]]
    assert found.degenerate.tolist() == [[None, None], ["no counts", "no disagreement"]]
    assert test(np.zeros((0, 3, 3))).p_value.shape == (0,)


@pytest.mark.parametrize("test", [stuart_maxwell_test, bowker_test])
@pytest.mark.parametrize(
    ("table", "words"),
    [
        (np.zeros((0, 0)), "no categories"),
        ([[1, 2, 3], [4, 5, 6]], "square"),
        ([[1, -1], [0, 1]], "negative"),
        ([[1, np.nan], [0, 1]], "NaN"),
        ([[1, 0.5], [0, 1]], "whole"),
    ],
)
def test_what_is_no_table_is_an_error(test: TableTest, table: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        test(np.asarray(table))


TABLES = st.integers(1, 6).flatmap(
    lambda k: arrays.arrays(np.int64, (k, k), elements=st.sampled_from([0, 0, 0, 1, 2, 5, 40, 1000]))
)


@given(TABLES)
@settings(max_examples=50, deadline=None)
def test_df_and_statistic_are_those_of_a_generalised_inverse(table: np.ndarray) -> None:
    difference = table.sum(1) - table.sum(0)
    covariance = np.diag(table.sum(1) + table.sum(0)) - table - table.T
    found = stuart_maxwell_test(table)
    assert found.df == np.linalg.matrix_rank(covariance)
    inverse = np.linalg.pinv(covariance.astype(float), rcond=1e-10, hermitian=True)
    assert found.statistic == pytest.approx(difference @ inverse @ difference, rel=1e-8, abs=1e-8)


@given(TABLES, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_names_order_and_agreement_do_not_matter(table: np.ndarray, random: Random) -> None:
    order = random.sample(range(len(table)), len(table))
    for test in (stuart_maxwell_test, bowker_test):
        found = test(table)
        assert test(table.T).statistic == found.statistic
        for other in (table[np.ix_(order, order)], table + np.diag(np.arange(len(table)))):
            assert test(other).statistic == pytest.approx(found.statistic, rel=1e-10, abs=1e-12)
            assert test(other).df == found.df


@given(TABLES)
@settings(max_examples=50, deadline=None)
def test_symmetric_tables_have_nothing_to_reject(table: np.ndarray) -> None:
    for test in (stuart_maxwell_test, bowker_test):
        found = test(table + table.T)
        assert found.statistic == 0
        assert found.p_value == 1
