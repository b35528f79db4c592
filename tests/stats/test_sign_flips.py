from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cxrbench.stats.sign_flips import sign_flip_p, sum_distribution


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=8))
def test_p_is_the_share_of_all_signs_that_are_as_extreme(differences: list[int]) -> None:
    values = np.array(differences)
    sums = [abs(np.dot(signs, values)) for signs in itertools.product((-1, 1), repeat=len(values))]
    expected = np.mean(np.array(sums) >= abs(values.sum()))
    p_value, log10_p = sign_flip_p(np.abs(values)[None], np.array([values[values > 0].sum()]))
    assert p_value[0] == expected
    assert log10_p[0] == np.log10(expected)


def test_rows_are_tests_of_their_own() -> None:
    magnitudes = np.array([[1, 1, 1, 1], [1, 2, 3, 0], [0, 3, 2, 1], [0, 0, 0, 0]])
    # By hand: 2 of 16 signs; 2 of 8 leave a sum of 0 or 6; 6 of 8 one of at least 2; nothing to flip.
    found, _ = sign_flip_p(magnitudes, np.array([4, 0, 2, 0]))
    assert found.tolist() == [2 / 16, 2 / 8, 6 / 8, 1]


def test_sums_of_equal_numbers_are_binomial() -> None:
    expected = stats.binom.pmf(np.arange(31), 30, 0.5)
    np.testing.assert_allclose(sum_distribution(np.ones(30, dtype=int)), expected, rtol=1e-12)


def test_the_least_p_of_the_most_numbers_is_not_zero() -> None:
    p_value, log10_p = sign_flip_p(np.ones((1, 1000), dtype=int), np.array([0]))
    assert p_value[0] == 2.0**-999
    assert log10_p[0] == pytest.approx(-999 * np.log10(2), rel=1e-14)
    with pytest.raises(ValueError, match="1000 at most"):
        sign_flip_p(np.ones((1, 1001), dtype=int), np.array([0]))
