from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxrbench.stats.multiplicity import benjamini_hochberg, holm

P = np.array([0.01, 0.04, 0.03, 0.005, 0.5, 0.9, 0.03])
METHODS = pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])


def test_holm_agrees_with_r() -> None:
    # R: p.adjust(p, "holm").
    np.testing.assert_allclose(holm(P), [0.06, 0.15, 0.15, 0.035, 1.0, 1.0, 0.15], rtol=1e-14)


def test_benjamini_hochberg_agrees_with_r() -> None:
    # R: p.adjust(p, "BH").
    expected = [0.035, 0.056, 0.0525, 0.035, 0.58333333333333337, 0.9, 0.0525]
    np.testing.assert_allclose(benjamini_hochberg(P), expected, rtol=1e-14)


def test_tests_not_made_stay_and_do_not_count() -> None:
    # R: p.adjust(c(0.01, NA, 0.02, 0.03, 0.04, 0.005, 0.5, NA, 0.9), ...).
    p = np.array([0.01, np.nan, 0.02, 0.03, 0.04, 0.005, 0.5, np.nan, 0.9])
    np.testing.assert_allclose(holm(p), [0.06, np.nan, 0.1, 0.12, 0.12, 0.035, 1, np.nan, 1], rtol=1e-14)
    expected = [0.035, np.nan, 0.14 / 3, 0.0525, 0.056, 0.035, 3.5 / 6, np.nan, 0.9]
    np.testing.assert_allclose(benjamini_hochberg(p), expected, rtol=1e-14)


@METHODS
def test_families_lie_along_the_last_axis(adjust: Callable[[np.ndarray], np.ndarray]) -> None:
    p = np.random.default_rng(0).random((2, 3, 7)) ** 3
    p[0, 0, 2] = p[1, 1] = np.nan
    found = adjust(p)
    for index in np.ndindex(2, 3):
        np.testing.assert_array_equal(found[index], adjust(p[index]))
    assert np.isnan(found[1, 1]).all()


@METHODS
def test_one_test_and_none_are_left_alone(adjust: Callable[[np.ndarray], np.ndarray]) -> None:
    assert adjust(np.array(0.03)) == 0.03
    assert adjust(np.array([0.03, np.nan]))[0] == 0.03
    assert adjust(np.array([])).shape == (0,)
    assert np.isnan(adjust(np.array([np.nan, np.nan]))).all()


@METHODS
@pytest.mark.parametrize("wrong", [-0.01, 1.01, np.inf])
def test_what_is_no_probability_is_an_error(adjust: Callable[[np.ndarray], np.ndarray], wrong: float) -> None:
    with pytest.raises(ValueError, match=f"between 0 and 1: {wrong:g}"):
        adjust(np.array([0.5, wrong, np.nan]))


FAMILIES = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.05, 1.0, float("nan")])), max_size=12)


@METHODS
@given(FAMILIES, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_adjusted_values_keep_order_and_never_fall(
    adjust: Callable[[np.ndarray], np.ndarray], family: list[float], random: Random
) -> None:
    p = np.array(family)
    found = adjust(p)
    made = ~np.isnan(p)
    assert (np.isnan(found) == ~made).all()
    assert (found[made] >= p[made]).all()
    assert (found[made] <= 1).all()
    assert (np.diff(found[made][np.argsort(p[made])]) >= 0).all()
    order = list(range(len(family)))
    random.shuffle(order)
    np.testing.assert_array_equal(adjust(p[order]), found[order])


@given(FAMILIES)
@settings(max_examples=50, deadline=None)
def test_holm_is_never_below_benjamini_hochberg_nor_above_bonferroni(family: list[float]) -> None:
    p = np.array(family)
    strict, mild, made = holm(p), benjamini_hochberg(p), ~np.isnan(p)
    assert (strict[made] >= mild[made] * (1 - 1e-14)).all()
    assert (strict[made] <= np.minimum(1, made.sum() * p[made])).all()
