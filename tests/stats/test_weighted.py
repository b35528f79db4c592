from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxrbench.stats.auc import auc
from cxrbench.stats.weighted import weighted_auc, weighted_mean


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0, 1, 6]), st.sampled_from([0.15, 0.5, 0.85]))
def test_weighted_auc_is_the_auc_of_repeated_samples_to_the_bit(seed: int, decimals: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random(40) < share
    truth[:2] = [False, True]
    score = rng.standard_normal(40).round(decimals)
    score[3] = -np.inf
    weights = rng.integers(0, 4, (5, 40))
    weights[:, :2] += 1
    areas = weighted_auc(truth, score)(weights)
    for area, row in zip(areas, weights, strict=True):
        assert area == auc(np.repeat(truth, row), np.repeat(score, row))


def test_by_hand() -> None:
    # Positives 0.8 (twice) and 0.4, negatives 0.4, 0.1 (three times): 2 * 4 + 3.5 of 12 pairs.
    area = weighted_auc(np.array([1, 1, 0, 0]), np.array([0.8, 0.4, 0.4, 0.1]))
    assert area(np.array([[2, 1, 1, 3]]))[0] == 11.5 / 12
    assert area(np.array([[0.2, 0.1, 0.1, 0.3]]))[0] == pytest.approx(11.5 / 12, rel=1e-15)


def test_an_empty_class_is_undefined_and_leading_axes_come_first() -> None:
    truth = np.array([[1, 0, 0], [0, 1, 1]])
    areas = weighted_auc(truth, np.array([0.3, 0.2, 0.4]))(np.array([[1, 1, 1], [0, 1, 1], [1, 0, 1], [0, 0, 0]]))
    assert areas.shape == (2, 4)
    np.testing.assert_array_equal(areas[0], [0.5, np.nan, 0.0, np.nan])


def test_what_the_auc_refuses_is_refused() -> None:
    with pytest.raises(ValueError, match="one class"):
        weighted_auc(np.array([1, 1]), np.array([0.1, 0.2]))


def test_weighted_mean() -> None:
    mean = weighted_mean(np.array([[1.0, 2.0, 4.0], [0.0, 1.0, 0.0]]))
    found = mean(np.array([[1, 1, 2], [0, 0, 0]]))
    assert (mean.n_samples, found.shape) == (3, (2, 2))
    assert found[0, 0] == 11 / 4
    assert found[1, 0] == 1 / 4
    assert np.isnan(found[:, 1]).all()
    for bad in (np.array([1.0, np.inf]), np.array(["a"]), np.array(1.0)):
        with pytest.raises(ValueError, match="numbers"):
            weighted_mean(bad)


@pytest.mark.parametrize("shape", [(2, 3), (2, 5), (4,), (2, 2, 4)])
def test_weights_of_other_samples_are_refused(shape: tuple[int, ...]) -> None:
    truth, score = np.array([0, 1, 0, 1]), np.arange(4.0)
    for metric in (weighted_auc(truth, score), weighted_mean(score)):
        with pytest.raises(ValueError, match=r"must be \[resamples, 4 samples\]"):
            metric(np.ones(shape, dtype=int))


def test_weights_of_small_types_do_not_overflow() -> None:
    truth = np.arange(600) % 2
    score = np.arange(600.0)
    for metric in (weighted_auc(truth, score), weighted_mean(score)):
        whole = metric(np.ones((1, 600), dtype=np.int64))
        for small in (np.int8, np.uint8, bool):
            np.testing.assert_array_equal(metric(np.ones((1, 600), dtype=small)), whole)
