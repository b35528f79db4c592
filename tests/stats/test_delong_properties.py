"""Properties of DeLong's test that hold for any labels, scores and groups."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cxrbench.stats.delong import DeLongResult, delong_test

from .test_delong import delong_by_all_pairs, obuchowski_by_all_pairs

Problem = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    n = draw(st.integers(4, 40))
    truth = draw(arrays.arrays(np.int64, n, elements=st.integers(0, 1)))
    assume(0 < truth.sum() < n)
    few = st.integers(-4, 4)
    a, b = (draw(arrays.arrays(np.float64, n, elements=few)) for _ in range(2))
    groups = draw(arrays.arrays(np.int64, n, elements=st.integers(0, 9)))
    return truth, a, b, groups


def same(one: DeLongResult, other: DeLongResult, sign: int = 1) -> None:
    """Equal to rounding, or the one with a and b the other way round."""
    assert one.degenerate == other.degenerate
    np.testing.assert_allclose(sign * one.statistic, other.statistic, rtol=1e-9)
    np.testing.assert_allclose(one.p_value, other.p_value, rtol=1e-9)
    np.testing.assert_allclose(one.se, other.se, rtol=1e-9)
    assert sign * one.estimate == other.estimate


bounded = settings(max_examples=50, deadline=None)


@bounded
@given(problems(), st.booleans())
def test_swapping_the_models_turns_the_sign(problem: Problem, grouped: bool) -> None:
    truth, a, b, groups = problem
    ids = groups if grouped else None
    one, other = delong_test(truth, a, b, ids), delong_test(truth, b, a, ids)
    same(one, other, sign=-1)
    assert (one.auc_a, one.auc_b) == (other.auc_b, other.auc_a)


@bounded
@given(problems(), st.booleans(), st.randoms(use_true_random=False))
def test_order_of_samples_and_names_of_groups_do_not_matter(problem: Problem, grouped: bool, random: Random) -> None:
    truth, a, b, groups = problem
    order = np.array(random.sample(range(len(truth)), len(truth)))
    one = delong_test(truth, a, b, groups if grouped else None)
    other = delong_test(truth[order], a[order], b[order], 9 - groups[order] if grouped else None)
    same(one, other)
    assert (one.auc_a, one.auc_b) == (other.auc_a, other.auc_b)


@bounded
@given(problems(), st.booleans())
def test_strictly_monotone_transforms_change_nothing(problem: Problem, grouped: bool) -> None:
    truth, a, b, groups = problem
    ids = groups if grouped else None
    assert str(delong_test(truth, np.exp(a), b**3 + 5, ids)) == str(delong_test(truth, a, b, ids))


@bounded
@given(problems(), st.booleans())
def test_swapping_the_classes_and_turning_the_scores_changes_nothing(problem: Problem, grouped: bool) -> None:
    truth, a, b, groups = problem
    ids = groups if grouped else None
    one, other = delong_test(truth, a, b, ids), delong_test(1 - truth, -a, -b, ids)
    assume(one.degenerate is None or one.degenerate.startswith("no variance"))
    same(one, other)


@bounded
@given(problems(), st.integers(2, 4))
def test_duplicated_groups_change_nothing(problem: Problem, times: int) -> None:
    truth, a, b, groups = problem
    one = delong_test(truth, a, b, groups)
    assume(one.degenerate is None or one.degenerate.startswith("no variance"))
    same(one, delong_test(*(np.tile(array, times) for array in problem)))


@bounded
@given(problems())
def test_agrees_with_both_formulas_on_anything(problem: Problem) -> None:
    truth, a, b, groups = problem
    plain, grouped = delong_test(truth, a, b), delong_test(truth, a, b, groups)
    if not np.isnan(plain.se):
        assert plain.se**2 == pytest.approx(delong_by_all_pairs(truth, a, b), rel=1e-9, abs=1e-16)
    if not np.isnan(grouped.se):
        assert grouped.se**2 == pytest.approx(obuchowski_by_all_pairs(truth, a, b, groups), rel=1e-9, abs=1e-16)
