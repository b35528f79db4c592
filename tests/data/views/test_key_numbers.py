from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cxrbench.data.views.key_numbers import between, numbers, whole_between

KEYS = np.arange(500)


def test_numbers_are_uniform_and_unrelated_between_keys_columns_and_streams() -> None:
    unit = numbers(KEYS, 1, 40)
    assert unit.shape == (500, 40)
    assert unit.min() >= 0
    assert unit.max() < 1
    assert stats.kstest(unit.ravel(), "uniform").statistic < 0.01
    assert np.abs(np.corrcoef(unit.T) - np.eye(40)).max() < 0.2
    assert abs(np.corrcoef(unit.ravel(), numbers(KEYS, 2, 40).ravel())[0, 1]) < 0.03


def test_a_number_depends_on_its_key_stream_and_column_only() -> None:
    np.testing.assert_array_equal(numbers(KEYS[::-1][:7], 3, 5), numbers(KEYS, 3, 9)[::-1][:7, :5])


def test_whole_numbers_reach_both_ends_equally_often() -> None:
    counts = np.bincount(whole_between(numbers(KEYS, 0, 40).ravel(), 3, 7))
    assert counts[:3].sum() == 0
    assert len(counts) == 8
    assert stats.chisquare(counts[3:]).pvalue > 0.001
    np.testing.assert_array_equal(whole_between(np.array([0.0, 0.999]), 5, 2), [5, 5])


def test_between_stretches_the_unit_interval() -> None:
    np.testing.assert_allclose(between(np.array([0.0, 0.5]), -10, 10), [-10, 0])
    assert between(np.array([0.25]), 2, 4) == pytest.approx(2.5)
