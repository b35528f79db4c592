from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression

from cxrbench.training.logistic import Standardiser, fit_binary, fit_multinomial

STRENGTHS = (1e-4, 1e-2, 1.0, 100.0)


def made_up(n: int, dimensions: int, labels: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Correlated features, standardised, and labels of which the first are rare."""
    rng = np.random.default_rng(seed)
    scale = np.arange(1, dimensions + 1) ** -0.7
    latent = rng.standard_normal((n, dimensions)) * scale
    features = np.maximum(latent @ rng.standard_normal((dimensions, dimensions)) + 0.3, 0)
    signal = latent @ rng.standard_normal((dimensions, labels))
    targets = signal + rng.standard_normal((n, labels)) > np.linspace(1.5, 0, labels) * signal.std()
    return Standardiser.of(features)(features), targets.astype(np.float64)


def reference(features: np.ndarray, targets: np.ndarray, strength: float, weights: np.ndarray) -> LogisticRegression:
    """The same objective minimised by scikit-learn, to far more digits."""
    model = LogisticRegression(C=1 / (strength * weights.sum()), tol=1e-12, max_iter=10_000, solver="newton-cg")
    return model.fit(features, targets, sample_weight=weights)


@pytest.mark.parametrize(("n", "dimensions"), [(40, 120), (200, 30), (60, 60)])
def test_probabilities_agree_with_scikit_learn(n: int, dimensions: int) -> None:
    features, targets = made_up(n, dimensions, 3)
    unseen = made_up(50, dimensions, 1, seed=1)[0]
    fit = fit_binary(features, targets, STRENGTHS)
    assert fit.weights.shape == (4, 3, dimensions)
    assert fit.converged.all()
    for place, strength in enumerate(STRENGTHS):
        for label in range(3):
            wanted = reference(features, targets[:, label], strength, np.ones(n)).predict_proba(unseen)[:, 1]
            np.testing.assert_allclose(expit(fit.logits(unseen)[place, label]), wanted, atol=1e-5)


def test_sample_weights_and_unknown_targets_agree_with_scikit_learn() -> None:
    features, targets = made_up(120, 40, 2)
    rng = np.random.default_rng(3)
    weights = rng.random((120, 2)) * (rng.random((120, 2)) < 0.8)
    targets[rng.random((120, 2)) < 0.3] = np.nan
    fit = fit_binary(features, targets, STRENGTHS, sample_weights=weights)
    for place, strength in enumerate(STRENGTHS):
        for label in range(2):
            known = ~np.isnan(targets[:, label])
            model = reference(features[known], targets[known, label], strength, weights[known, label])
            wanted = model.predict_proba(features)[:, 1]
            np.testing.assert_allclose(expit(fit.logits(features)[place, label]), wanted, atol=1e-5)


def test_balanced_weights_agree_with_scikit_learn() -> None:
    features, targets = made_up(150, 20, 1)
    positives = targets[:, 0].sum()
    weights = np.where(targets[:, 0] == 1, 150 / (2 * positives), 150 / (2 * (150 - positives)))
    wanted = reference(features, targets[:, 0], 0.1, weights)
    fit = fit_binary(features, targets, (0.1,), balanced=True)
    np.testing.assert_allclose(fit.weights[0, 0], wanted.coef_[0], atol=1e-5)
    np.testing.assert_allclose(fit.intercepts[0, 0], np.ravel(wanted.intercept_)[0], atol=1e-5)


def test_separable_rows_at_a_weak_strength_converge() -> None:
    features = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    targets = np.array([[0.0], [0.0], [1.0], [1.0]])
    fit = fit_binary(features, targets, (1e-8,))
    assert fit.converged.all()
    wanted = reference(features, targets[:, 0], 1e-8, np.ones(4)).predict_proba(features)[:, 1]
    np.testing.assert_allclose(expit(fit.logits(features)[0, 0]), wanted, atol=1e-5)


def test_weightless_model_is_the_share_of_positives() -> None:
    targets = np.array([[1.0], [0.0], [0.0], [0.0]])
    fit = fit_binary(np.zeros((4, 2)), targets, (1.0,))
    assert expit(fit.intercepts[0, 0]) == pytest.approx(0.25)
    assert (fit.weights == 0).all()


def test_labels_do_not_change_each_other() -> None:
    features, targets = made_up(80, 100, 4)
    together = fit_binary(features, targets, (0.01, 1.0))
    alone = fit_binary(features, targets[:, :1], (0.01, 1.0))
    np.testing.assert_allclose(together.weights[:, :1], alone.weights, atol=1e-9)


@pytest.mark.parametrize(("n", "dimensions"), [(60, 150), (200, 25)])
def test_classes_agree_with_scikit_learn(n: int, dimensions: int) -> None:
    features, targets = made_up(n, dimensions, 2)
    classes = (targets[:, 0] + targets[:, 1]).astype(int)
    unseen = made_up(50, dimensions, 1, seed=1)[0]
    of_class = np.array([0.5, 1.0, 3.0])
    fit = fit_multinomial(features, classes, 3, STRENGTHS, class_weights=of_class)
    assert fit.weights.shape == (4, 3, dimensions)
    assert fit.converged.all()
    for place, strength in enumerate(STRENGTHS):
        wanted = reference(features, classes, strength, of_class[classes]).predict_proba(unseen)
        np.testing.assert_allclose(softmax(fit.logits(unseen)[place], axis=0).T, wanted, atol=1e-5)


def test_class_columns_are_models_of_their_own_and_leave_rows_out() -> None:
    features, targets = made_up(90, 20, 2)
    classes = (targets[:, 0] + targets[:, 1]).astype(int)
    fewer = np.where(np.arange(90) < 30, -1, classes)
    both = fit_multinomial(features, np.stack([classes, fewer], axis=1), 3, (0.1,))
    alone = fit_multinomial(features, classes, 3, (0.1,))
    part = reference(features[30:], classes[30:], 0.1, np.ones(60)).predict_proba(features)
    np.testing.assert_allclose(both.weights[:, 0], alone.weights, atol=1e-7)
    np.testing.assert_allclose(softmax(both.logits(features)[0, 1], axis=0).T, part, atol=1e-5)


def test_class_without_rows_has_probability_zero() -> None:
    features, targets = made_up(50, 10, 1)
    fit = fit_multinomial(features, targets[:, 0].astype(int) * 2, 3, (0.1,), balanced=True)
    probability = softmax(fit.logits(features)[0], axis=0)
    assert fit.converged.all()
    assert (probability[1] == 0).all()
    np.testing.assert_allclose(probability.sum(axis=0), 1)


def test_too_few_iterations_are_said() -> None:
    features, targets = made_up(100, 50, 2)
    fit = fit_binary(features, targets, (1e-4, 1e4), max_iterations=3)
    assert not fit.converged[0].any()
    assert fit.converged[1].all()
    assert (fit.left[0] > 1e-6).all()


def test_standardiser_gives_mean_0_variance_1_and_constants_0() -> None:
    features = np.array([[1.0, 5.1, 0.1], [3.0, 5.1, 0.1], [5.0, 5.1, 0.1]], dtype=np.float32)
    scaled = Standardiser.of(features)
    assert scaled(features)[:, 0] == pytest.approx([-(1.5**0.5), 0, 1.5**0.5])
    assert (scaled(features)[:, 1:] == 0).all()
    assert (scaled(np.array([[3.0, 9.0, 9.0]])) == 0).all()
    assert scaled(np.empty((0, 3))).shape == (0, 3)


def bad(**changes: object) -> dict:
    features, targets = made_up(20, 4, 2)
    return {"features": features, "targets": targets, "strengths": (1.0,)} | changes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (bad(features=np.full((20, 4), np.nan)), "20 samples are NaN"),
        (bad(features=np.zeros((0, 4)), targets=np.zeros((0, 2))), "features must be"),
        (bad(targets=np.zeros((20, 2))), "column 0, 1"),
        (bad(targets=np.full((20, 2), np.nan)), "column 0, 1"),
        (bad(targets=np.full((20, 2), -1.0)), "0, 1 or NaN"),
        (bad(targets=np.zeros((19, 2))), r"\[20, labels\]"),
        (bad(strengths=(0.0,)), "above 0"),
        (bad(strengths=()), "strengths"),
        (bad(sample_weights=np.full((20, 2), -1.0)), "at least 0"),
    ],
)
def test_what_cannot_be_fitted_is_an_error_that_says_which(arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fit_binary(**arguments)


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (np.zeros(20, dtype=int), "two classes"),
        (np.arange(20), "between 0 and 2"),
        (np.zeros(20), "whole numbers"),
        (np.zeros(3, dtype=int), "20 rows"),
    ],
)
def test_classes_that_cannot_be_fitted_are_an_error(classes: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fit_multinomial(made_up(20, 4, 1)[0], classes, 3)
