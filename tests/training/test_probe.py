from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from cxrbench.training.folds import patient_folds
from cxrbench.training.probe import LinearProbe, ProbeData, ProbeSettings
from cxrbench.training.strength_choice import mean_binary_loss, strongest_of_best

PLAIN = ProbeSettings(strengths=(0.01, 0.1, 1.0, 10.0), balanced=False, tolerance=1e-6)


def trial(n: int = 120, n_validation: int = 80, labels: int = 2, seed: int = 0) -> ProbeData:
    """Features of 10 dimensions of which 2 tell the labels, two images a patient."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n + n_validation + 50, 10)) * 3 + 1
    noise = rng.standard_normal((len(features), labels))
    targets = (features[:, :labels] - 1 + 2 * noise > 1).astype(float)
    train, validation, test = np.split(features, [n, n + n_validation])
    patients = [f"p{row // 2}" for row in range(n)]
    names = [f"label {label}" for label in range(labels)]
    return ProbeData(train, targets[:n], patients, validation, targets[n : n + n_validation], test, names)


def test_strength_is_the_one_scikit_learn_finds_best_on_validation() -> None:
    data = trial()
    mean, deviation = data.train.mean(axis=0), data.train.std(axis=0)
    result = LinearProbe(PLAIN).labels(data)
    for label in range(2):
        losses, scores = [], []
        for strength in PLAIN.strengths:
            model = LogisticRegression(C=1 / (strength * len(data.train)), tol=1e-10, max_iter=1000)
            model.fit((data.train - mean) / deviation, data.train_truth[:, label])
            held = model.predict_proba((data.validation - mean) / deviation)[:, 1]
            losses.append(log_loss(data.validation_truth[:, label], held))
            scores.append(model.predict_proba((data.test - mean) / deviation)[:, 1])
        best = int(np.argmin(losses))
        assert result.strengths[label] == PLAIN.strengths[best]
        np.testing.assert_allclose(result.test[:, label], scores[best], atol=1e-5)
    assert result.chosen_by == ("validation", "validation")
    assert result.notes == ()


def test_few_validation_positives_make_folds_of_the_training_part_choose() -> None:
    data = trial()
    scarce = data.validation_truth.copy()
    scarce[:, 1] = 0
    result = LinearProbe(PLAIN).labels(replace(data, validation_truth=scarce))
    assert result.chosen_by == ("validation", "cross-validation")
    # The same by hand: scikit-learn on every fold, held-out log-loss over all rows.
    fold = patient_folds(data.train_patients, data.train_truth[:, 1] == 1, PLAIN.folds)
    scaled = (data.train - data.train.mean(axis=0)) / data.train.std(axis=0)
    losses = []
    for strength in PLAIN.strengths:
        held = np.empty(len(scaled))
        for out in range(PLAIN.folds):
            inside = fold != out
            model = LogisticRegression(C=1 / (strength * inside.sum()), tol=1e-10, max_iter=1000)
            model.fit(scaled[inside], data.train_truth[inside, 1])
            held[~inside] = model.predict_proba(scaled[~inside])[:, 1]
        losses.append(log_loss(data.train_truth[:, 1], held))
    assert result.strengths[1] == PLAIN.strengths[int(np.argmin(losses))]


def test_empty_validation_part_is_allowed() -> None:
    data = replace(trial(), validation=np.empty((0, 10)), validation_truth=np.empty((0, 2)))
    result = LinearProbe(PLAIN).labels(data)
    assert result.chosen_by == ("cross-validation", "cross-validation")
    assert result.validation.shape == (0, 2)
    assert np.isfinite(result.test).all()


def test_label_with_one_class_is_not_fitted_and_named() -> None:
    data = trial()
    truth = data.train_truth.copy()
    truth[:, 0] = np.where(truth[:, 0] == 1, np.nan, 0)
    result = LinearProbe(PLAIN).labels(replace(data, train_truth=truth))
    assert result.chosen_by == ("not fitted", "validation")
    assert np.isnan(result.test[:, 0]).all()
    assert np.isnan(result.strengths[0])
    assert result.notes == ("label 0: not fitted, the training part has one class only",)
    whole = LinearProbe(PLAIN).labels(data)
    np.testing.assert_allclose(result.test[:, 1], whole.test[:, 1], atol=1e-9)


def test_no_label_with_two_classes_gives_nan_everywhere() -> None:
    data = trial()
    result = LinearProbe(PLAIN).labels(replace(data, train_truth=np.zeros_like(data.train_truth)))
    assert np.isnan(result.test).all()
    assert len(result.notes) == 2


def test_positives_of_a_single_patient_take_the_strongest() -> None:
    data = trial()
    truth = np.zeros_like(data.train_truth)
    truth[:2] = 1
    few = replace(data, train_truth=truth, validation=data.validation[:0], validation_truth=data.validation_truth[:0])
    result = LinearProbe(PLAIN).labels(few)
    assert result.chosen_by == ("strongest", "strongest")
    assert (result.strengths == 10.0).all()
    assert "too few patients" in result.notes[0]


def test_same_trial_gives_the_same_bits() -> None:
    first, second = (LinearProbe().labels(trial()) for _ in range(2))
    assert (first.test == second.test).all()


def test_balanced_probe_answers_a_half_for_features_that_say_nothing() -> None:
    data = trial()
    nothing = replace(data, train=np.ones_like(data.train), test=np.ones_like(data.test))
    result = LinearProbe(ProbeSettings(strengths=(1.0, 5.0))).labels(nothing)
    np.testing.assert_allclose(result.test, 0.5)
    assert (result.strengths == 5.0).all()


def test_classes_share_one_strength_and_sum_to_one() -> None:
    data = trial()
    classes, held = (t.sum(axis=1).astype(int) for t in (data.train_truth, data.validation_truth))
    data = replace(data, train_truth=classes, validation_truth=held, names=["none", "one", "two"])
    result = LinearProbe(PLAIN).classes(data)
    assert result.chosen_by == ("validation",)
    assert result.test.shape == (50, 3)
    np.testing.assert_allclose(result.test.sum(axis=1), 1)
    folded = LinearProbe(PLAIN).classes(replace(data, validation=data.validation[:0], validation_truth=held[:0]))
    assert folded.chosen_by == ("cross-validation",)
    losses = []
    scaled = (data.train - data.train.mean(axis=0)) / data.train.std(axis=0)
    held_scaled = (data.validation - data.train.mean(axis=0)) / data.train.std(axis=0)
    for strength in PLAIN.strengths:
        model = LogisticRegression(C=1 / (strength * len(scaled)), tol=1e-10, max_iter=1000).fit(scaled, classes)
        losses.append(log_loss(held, model.predict_proba(held_scaled)))
    assert result.strengths[0] == PLAIN.strengths[int(np.argmin(losses))]


def test_class_without_training_rows_has_probability_zero_and_a_note() -> None:
    data = trial()
    classes = data.train_truth[:, 0].astype(int)
    held = np.full(len(data.validation), 2)
    result = LinearProbe(PLAIN).classes(
        replace(data, train_truth=classes, validation_truth=held, names=["a", "b", "c"])
    )
    assert (result.test[:, 2] == 0).all()
    assert result.notes == ("c: probability 0, the training part has no such sample",)
    assert result.chosen_by == ("cross-validation",)


def test_single_class_is_not_fitted() -> None:
    data = trial()
    result = LinearProbe(PLAIN).classes(
        replace(data, train_truth=np.zeros(120, dtype=int), validation_truth=np.zeros(80, dtype=int))
    )
    assert np.isnan(result.test).all()
    assert result.chosen_by == ("not fitted",)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train": np.full((120, 10), np.nan)}, "NaN"),
        ({"test": np.full((5, 10), np.nan)}, "NaN"),
        ({"train_truth": np.full((120, 2), -1.0)}, "label 0 must be 0, 1 or NaN"),
        ({"train_patients": ["a"]}, "same number of rows"),
        ({"validation_truth": np.zeros((3, 2))}, "same number of rows"),
        ({"names": ["one"]}, "must be"),
    ],
)
def test_wrong_input_is_an_error_that_says_which(changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LinearProbe(PLAIN).labels(replace(trial(), **changes))


def test_equal_losses_take_the_strongest() -> None:
    assert strongest_of_best(np.array([0.5, 0.4, 0.4, 0.6]), (0.1, 1.0, 10.0, 100.0)) == 2


def test_balanced_loss_is_the_mean_of_both_classes() -> None:
    logits = np.array([[0.0, 1.0, 2.0, -1.0]])
    targets = np.array([1.0, 0.0, 0.0, np.nan])
    by_class = [np.log(2), -np.log(1 - expit([1.0, 2.0])).mean()]
    loss = mean_binary_loss(logits, targets, balanced=True)
    assert loss is not None
    assert loss[0] == pytest.approx(np.mean(by_class))


def test_folds_keep_patients_together_and_spread_positives() -> None:
    patients = [f"p{row // 3}" for row in range(90)]
    positive = np.arange(90) % 18 == 0
    fold = patient_folds(patients, positive, 5)
    assert all(len(set(fold[row : row + 3])) == 1 for row in range(0, 90, 3))
    assert sorted(fold[positive]) == [0, 1, 2, 3, 4]
    order = np.random.default_rng(0).permutation(90)
    shuffled = patient_folds([patients[row] for row in order], positive[order], 5)
    assert (shuffled == fold[order]).all()


@pytest.mark.parametrize("wrong", [{"strengths": ()}, {"strengths": (0.0,)}, {"folds": 1}, {"strenghts": (1.0,)}])
def test_settings_are_checked(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        ProbeSettings(**wrong)
