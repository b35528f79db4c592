from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import roc_auc_score

from cxrbench.stats import auc


def test_agrees_with_hand_counts() -> None:
    # 2 positives and 3 negatives are 6 pairs: 0.8 wins 3, 0.4 wins 1 and ties 1.
    assert auc(np.array([1, 0, 1, 0, 0]), np.array([0.8, 0.4, 0.4, 0.1, 0.6])) == 4.5 / 6
    assert auc(np.array([True, False]), np.array([1, 1])) == 0.5
    assert auc(np.array([0, 1]), np.array([2.0, 1.0])) == 0.0


@pytest.mark.parametrize("decimals", [1, 3, 12])
def test_agrees_with_scikit_learn_with_and_without_ties(decimals: int) -> None:
    rng = np.random.default_rng(decimals)
    truth = rng.random(500) < 0.1
    score = (rng.standard_normal(500) + truth).round(decimals)
    assert auc(truth, score) == pytest.approx(roc_auc_score(truth, score), abs=1e-14)


def test_many_rows_are_counted_as_each_alone() -> None:
    # More than one block of rows, with ties and without.
    rng = np.random.default_rng(2)
    truth, score = rng.random((300, 400)) < 0.2, rng.standard_normal((300, 400))
    score[::2] = score[::2].round(1)
    assert auc(truth, score).tolist() == [auc(*row) for row in zip(truth, score, strict=True)]


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.int8, np.uint64])
def test_scores_of_any_number_type_are_ranked(kind: type) -> None:
    rng = np.random.default_rng(3)
    truth, score = rng.random(200) < 0.5, rng.integers(0, 100, 200)
    assert auc(truth, score.astype(kind)) == auc(truth, score)


def test_scores_that_are_not_laid_out_in_rows() -> None:
    rng = np.random.default_rng(4)
    truth, score = rng.integers(0, 2, (50, 3)), rng.standard_normal((50, 3))
    assert auc(truth.T, score.T).tolist() == auc(truth.T.copy(), score.T.copy()).tolist()
    assert auc(truth[::-2, 0], score[::-2, 0]) == auc(truth[::-2, 0].copy(), score[::-2, 0].copy())


def test_large_samples_do_not_overflow() -> None:
    # 10^5 x 10^5 pairs do not fit 32 bits.
    truth = np.repeat([0, 1], 100_000)
    assert auc(truth, np.arange(200_000)) == 1
    assert auc(truth, np.zeros(200_000)) == 0.5
    assert auc(truth, np.r_[np.arange(100_000), np.arange(100_000)]) == 0.5


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_any_scores_count_pairs_won_and_half_of_the_tied(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 50))
    truth = data.draw(arrays.arrays(np.bool_, n))
    score = data.draw(arrays.arrays(np.float64, n, elements=st.floats(allow_nan=False) | st.integers(-3, 3)))
    assume(truth.any() and not truth.all())
    positives, negatives = score[truth][:, None], score[~truth]
    wins = np.count_nonzero(positives > negatives) + np.count_nonzero(positives == negatives) / 2
    assert auc(truth, score) == wins / (positives.size * negatives.size)
    assert auc(~truth, -score) == auc(truth, score)


def test_order_of_samples_does_not_change_a_bit() -> None:
    rng = np.random.default_rng(0)
    truth, score = rng.random(999) < 0.3, rng.standard_normal(999).round(1)
    order = rng.permutation(999)
    assert auc(truth, score) == auc(truth[order], score[order])


def test_leading_axes_are_sets_of_their_own() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, (2, 3, 40))
    score = rng.standard_normal((2, 3, 40))
    areas = auc(truth, score)
    assert areas.shape == (2, 3)
    assert areas[1, 2] == auc(truth[1, 2], score[1, 2])
    assert auc(truth[0, 0], score).shape == (2, 3)


def test_infinite_scores_are_ranked_at_the_ends() -> None:
    assert auc(np.array([0, 1, 0, 1]), np.array([-np.inf, np.inf, 0.0, -1.0])) == 3 / 4


def test_two_equal_infinities_are_a_tie() -> None:
    assert auc(np.array([0, 1]), np.array([np.inf, np.inf])) == 0.5


@pytest.mark.parametrize(
    ("truth", "score", "words"),
    [
        ([0, 2], [0.1, 0.2], "0 and 1"),
        ([0.0, np.nan], [0.1, 0.2], "0 and 1"),
        (["a", "b"], [0.1, 0.2], "0 and 1"),
        ([1, 1], [0.1, 0.2], "one class"),
        ([0, 0], [0.1, 0.2], "one class"),
        ([0, 1], [0.1, np.nan], "1 scores are NaN"),
        ([0, 1], ["a", "b"], "real numbers"),
        ([0, 1, 1], [0.1, 0.2], "length"),
        ([], [], "no samples"),
        ([[0, 1], [1, 1]], [[0.1, 0.2], [0.1, 0.2]], "one class"),
        (1, 0.5, "length"),
        (pd.array([True, None], dtype="boolean"), [0.1, 0.2], "0 and 1"),
        (pd.array([0, None], dtype="Int64"), [0.1, 0.2], "0 and 1"),
    ],
)
def test_what_has_no_area_is_an_error_that_says_why(truth: object, score: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        auc(np.array(truth), np.array(score))
