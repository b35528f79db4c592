"""Metrics against scikit-learn and hand counts, and where they are not defined."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr
from sklearn import metrics as sk

from cxrbench.stats.scoring import (
    brier,
    calibration_error,
    defined_auc,
    limit_at_specificity,
    mean_of_defined,
    precision_recall_f1,
    sensitivity_specificity,
)

RNG = np.random.default_rng(7)
# Three labels of 300 samples, the last one rare.
TRUTH = (RNG.random((3, 300)) < np.array([[0.5], [0.3], [0.04]])).astype(float)
SCORES = np.round(1 / (1 + np.exp(-(RNG.normal(size=(3, 300)) + TRUTH))), 2)
METRICS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "auc": defined_auc,
    "brier": brier,
    "calibration_error": calibration_error,
    "f1": lambda truth, score: precision_recall_f1(truth, score > 0.5).f1,
    "sensitivity": lambda truth, score: sensitivity_specificity(truth, score > 0.5).sensitivity,
    "limit": limit_at_specificity,
}


def test_metrics_of_labels_are_those_of_scikit_learn() -> None:
    decision = SCORES >= 0.5
    precision, recall, f1 = precision_recall_f1(TRUTH, decision)
    expected = sk.precision_recall_fscore_support(TRUTH.T, decision.T, average=None)
    np.testing.assert_allclose([precision, recall, f1], expected[:3], rtol=1e-12)
    for row in range(3):
        assert defined_auc(TRUTH, SCORES)[row] == pytest.approx(sk.roc_auc_score(TRUTH[row], SCORES[row]), rel=1e-12)
        assert brier(TRUTH, SCORES)[row] == pytest.approx(sk.brier_score_loss(TRUTH[row], SCORES[row]), rel=1e-12)
        sensitivity, specificity = sensitivity_specificity(TRUTH[row], decision[row])
        assert sensitivity == pytest.approx(sk.recall_score(TRUTH[row], decision[row]))
        assert specificity == pytest.approx(sk.recall_score(TRUTH[row], decision[row], pos_label=0))


def test_calibration_error_worked_by_hand() -> None:
    # Bins of two: |(0 + 0) - (0.1 + 0.2)| + |(1 + 0) - (0.6 + 0.7)| + |(1 + 1) - (0.8 + 0.9)| = 0.3 + 0.3 + 0.3.
    truth = np.array([1, 0, 0, 1, 0, 1])
    probability = np.array([0.6, 0.1, 0.2, 0.9, 0.7, 0.8])
    assert calibration_error(truth, probability, bins=3) == pytest.approx(0.9 / 6)
    # One bin sees only the means: |3 - 3.3| / 6.
    assert calibration_error(truth, probability, bins=1) == pytest.approx(0.3 / 6)
    # More bins than samples: every sample stands alone.
    assert calibration_error(truth, probability, bins=100) == pytest.approx(np.abs(truth - probability).mean())


def test_equal_probabilities_share_a_bin_whatever_their_order() -> None:
    truth = np.array([1, 0, 1, 0, 0, 0])
    probability = np.array([0.25, 0.25, 0.25, 0.25, 0.5, 0.75])
    # Two bins of three would part the four equal ones: {0.25 x 4} and {0.5, 0.75} it is.
    expected = (abs(2 - 1.0) + abs(0 - 1.25)) / 6
    for order in (np.arange(6), np.array([3, 2, 1, 0, 5, 4]), np.array([5, 1, 3, 0, 4, 2])):
        assert calibration_error(truth[order], probability[order], bins=2) == pytest.approx(expected)


def test_calibrated_probabilities_have_an_error_that_goes_with_the_sample() -> None:
    rng = np.random.default_rng(1)
    probability = rng.random((2, 40_000))
    truth = rng.random((2, 40_000)) < probability
    assert (calibration_error(truth, probability) < 0.012).all()
    assert (calibration_error(truth, probability**2) > 0.15).all()


def test_limit_is_the_order_statistic_that_holds_for_new_negatives() -> None:
    # Of 39 negatives the 38th: ceil(0.95 * 40).
    negatives = np.arange(39.0)
    truth, score = np.zeros(41), np.concatenate([RNG.permutation(negatives), [100.0, 200.0]])
    truth[39:] = 1
    assert limit_at_specificity(truth, score) == 37.0
    assert limit_at_specificity(truth, score, specificity=0.5) == 19.0


def test_limit_keeps_its_specificity_on_new_negatives_and_on_its_own() -> None:
    rng = np.random.default_rng(3)
    negatives = rng.normal(size=(4000, 60))
    limits = limit_at_specificity(np.zeros(60), negatives)
    # Uniform order statistics: the 58th of 60 has mean 58 / 61, whose standard error here is 0.0005.
    assert ndtr(limits).mean() == pytest.approx(58 / 61, abs=0.002)
    truth = np.concatenate([np.zeros(60), np.ones(30)])
    score = np.concatenate([negatives[0], rng.normal(1.5, 1, 30)])
    limit = limit_at_specificity(truth, score)
    false_positives, _, cuts = sk.roc_curve(truth, score, drop_intermediate=False)
    assert 1 - false_positives[cuts > limit][-1] >= 0.95


def test_limit_of_too_few_negatives_is_not_placed() -> None:
    score = np.arange(30.0)
    assert np.isnan(limit_at_specificity(np.r_[np.zeros(19), np.ones(11)], score))
    assert limit_at_specificity(np.r_[np.zeros(20), np.ones(10)], score) == 19.0
    # However few are asked for, the 99 % point of 50 lies beyond the largest.
    assert np.isnan(limit_at_specificity(np.zeros(50), np.arange(50.0), specificity=0.99, least=1))


def test_several_classes_sum_to_the_score_of_brier() -> None:
    rng = np.random.default_rng(5)
    truth, probability = rng.integers(4, size=50), rng.dirichlet(np.ones(4), 50)
    one_hot = np.eye(4)[truth]
    # A forecast without error has 0, one that is sure of the wrong class 2.
    assert brier(one_hot.T, probability.T).sum() == pytest.approx(((probability - one_hot) ** 2).sum(axis=1).mean())
    assert brier(one_hot.T, np.roll(one_hot, 1, axis=1).T).sum() == pytest.approx(2.0)


def test_decisions_that_are_never_made_score_0_and_absent_classes_nothing() -> None:
    truth = np.array([[1, 0, 1], [0, 0, 0]])
    precision, recall, f1 = precision_recall_f1(truth, np.zeros((2, 3)))
    assert (precision[0], recall[0], f1[0]) == (0.0, 0.0, 0.0)
    assert np.isnan([precision[1], recall[1], f1[1]]).all()
    sensitivity, specificity = sensitivity_specificity(truth, np.zeros((2, 3)))
    np.testing.assert_array_equal(sensitivity, [0.0, np.nan])
    np.testing.assert_array_equal(specificity, [1.0, 1.0])


@pytest.mark.parametrize("name", METRICS)
def test_unknown_truth_counts_for_nothing(name: str) -> None:
    truth, score = np.insert(TRUTH, [0, 100, 300], np.nan, axis=1), np.insert(SCORES, [0, 100, 300], 0.9, axis=1)
    np.testing.assert_allclose(METRICS[name](truth, score), METRICS[name](TRUTH, SCORES), rtol=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_leading_axes_are_rows_of_their_own(name: str) -> None:
    truth = np.stack([TRUTH, TRUTH[::-1]])
    truth[0, 1, :5] = np.nan
    scores = np.stack([SCORES, SCORES[::-1]])
    found = METRICS[name](truth, scores)
    assert found.shape == (2, 3)
    alone = [[METRICS[name](truth[i, j], scores[i, j]) for j in range(3)] for i in range(2)]
    np.testing.assert_array_equal(found, alone)


@pytest.mark.parametrize("name", ["auc", "brier", "calibration_error", "limit"])
def test_a_label_without_scores_is_undefined(name: str) -> None:
    scores = SCORES.copy()
    scores[1] = np.nan
    assert np.isnan(METRICS[name](TRUTH, scores)).tolist() == [False, True, False]


@pytest.mark.parametrize("name", METRICS)
def test_no_known_sample_is_undefined_and_no_error(name: str) -> None:
    assert np.isnan(METRICS[name](np.full(4, np.nan), np.full(4, 0.5)))
    assert np.isnan(METRICS[name](np.empty(0), np.empty(0)))


def test_undecided_samples_leave_sensitivity_undefined() -> None:
    assert np.isnan(sensitivity_specificity(np.array([1, 0]), np.array([np.nan, np.nan]))).all()
    assert np.isnan(precision_recall_f1(np.array([1, 0]), np.array([1.0, np.nan]))).all()


def test_mean_leaves_out_what_is_undefined() -> None:
    assert mean_of_defined(np.array([0.5, np.nan, 1.0])) == 0.75
    assert np.isnan(mean_of_defined(np.array([np.nan])))


@pytest.mark.parametrize("name", METRICS)
def test_what_cannot_be_scored_is_named(name: str) -> None:
    with pytest.raises(ValueError, match="differ in length"):
        METRICS[name](np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match="0, 1, or NaN"):
        METRICS[name](np.array([0, 2]), np.ones(2))


def test_settings_out_of_range_are_named() -> None:
    with pytest.raises(ValueError, match="0 bins"):
        calibration_error(np.ones(2), np.ones(2), bins=0)
    with pytest.raises(ValueError, match="specificity 95"):
        limit_at_specificity(np.zeros(30), np.ones(30), specificity=95)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10)), min_size=1, max_size=60), st.integers(1, 20))
@settings(max_examples=50, deadline=None)
def test_calibration_error_lies_between_the_error_of_the_mean_and_of_the_samples(
    samples: list[tuple[bool, int]], bins: int
) -> None:
    truth = np.array([label for label, _ in samples], dtype=float)
    probability = np.array([tenth for _, tenth in samples]) / 10
    found = calibration_error(truth, probability, bins)
    assert abs((truth - probability).mean()) - 1e-12 <= found <= np.abs(truth - probability).mean() + 1e-12
    assert calibration_error(truth[::-1], probability[::-1], bins) == pytest.approx(found, abs=1e-12)
