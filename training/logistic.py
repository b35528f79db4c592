"""L2-penalised logistic regression in float64, for all strengths and labels of a linear probe at once.

Objective of one label at strength `s`, over the rows whose target is known:

    sum_i a_i log_loss(y_i, w.x_i + b) / sum_i a_i  +  s / 2 |w|^2

with row weights a_i (1 unless told otherwise) and an unpenalised intercept b. Dividing by the sum of the
weights makes a strength mean the same at every fraction of the data; scikit-learn's C is 1 / (s sum_i a_i).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from .quasi_newton import Problems, minimise

STRENGTHS = tuple(float(strength) for strength in np.logspace(-2, 2, 9))
"""Default strengths: nine from 0.01 to 100, half a decade apart."""

TOLERANCE = 1e-6
MAX_ITERATIONS = 1000

# exp(-1e6) is 0: a class without a training row gets probability 0 and no gradient.
_NEVER = -1e6


@dataclass(frozen=True)
class Standardiser:
    """Shift and scale that give training features mean 0 and variance 1.

    Attributes:
        mean: [D].
        scale: population standard deviation [D]; infinite for a constant feature, which so becomes 0.
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> Standardiser:
        """The standardiser of training features [n, D]. Raises ValueError for NaN, infinite or no features."""
        features = _checked_features(features)
        mean = features.mean(axis=0)
        deviation = features.std(axis=0)
        # A constant column's deviation is rounding error of its mean, not always exactly 0.
        constant = deviation <= 1e-12 * np.abs(mean)
        return cls(mean, np.where(constant, np.inf, deviation))

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Features [m, D] as float64, standardised. Raises ValueError for NaN or infinite features."""
        features = _checked_features(features, may_be_empty=True)
        return (features - self.mean) / self.scale


@dataclass(frozen=True)
class LogisticFit:
    """Solutions at S strengths; "..." is L for labels, C for classes, K and C for several class columns.

    Attributes:
        weights: [S, ..., D].
        intercepts: [S, ...]; minus infinity for a class without training rows.
        converged: [S, L], [S] or [S, K]: what was left to do fell to the tolerance.
        left: what was left to do at the end (see `quasi_newton.minimise`), shaped as `converged`.
        iterations: shaped as `converged`.
    """

    weights: np.ndarray
    intercepts: np.ndarray
    converged: np.ndarray
    left: np.ndarray
    iterations: np.ndarray

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Logits [S, ..., m] of features [m, D]."""
        return self.weights @ np.asarray(features, dtype=np.float64).T + self.intercepts[..., None]


def fit_binary(
    features: np.ndarray,
    targets: np.ndarray,
    strengths: Sequence[float] = STRENGTHS,
    sample_weights: np.ndarray | None = None,
    balanced: bool = False,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
) -> LogisticFit:
    """One model per strength and label, for labels that do not exclude each other.

    Args:
        features: [n, D], standardised by the caller.
        targets: [n, L] of 0, 1 and NaN (not known: the row is left out for that label).
        strengths: S penalties, each > 0.
        sample_weights: [n, L], >= 0.
        balanced: also weigh rows so that both classes of a label count alike.
        tolerance: a model is done when its gradient, relative to the constant model's, and the change of
            logits still to come are both at most this.
        max_iterations: after this many steps a model is handed back as not converged.

    Returns weights [S, L, D] and intercepts [S, L]. Raises ValueError, naming columns, for NaN features,
    other targets, a label with one class only, or shapes that do not fit.
    """
    features = _checked_features(features)
    targets = np.asarray(targets, dtype=np.float64)
    if targets.ndim != 2 or len(targets) != len(features):
        raise ValueError(f"targets must be [{len(features)}, labels], not {list(targets.shape)}")
    known = ~np.isnan(targets)
    if not np.isin(targets[known], (0.0, 1.0)).all():
        raise ValueError("targets must be 0, 1 or NaN")
    truth = np.where(known, targets, 0.0).T
    weights = known.T * _checked_weights(sample_weights, targets.shape).T
    positive, negative = (weights * truth).sum(axis=1), (weights * (1 - truth)).sum(axis=1)
    single = np.flatnonzero((positive == 0) | (negative == 0))
    if single.size:
        raise ValueError(f"only one class in label column {', '.join(map(str, single))}: nothing to fit")
    if balanced:
        weights = weights * np.where(truth == 1, 1 / positive[:, None], 1 / negative[:, None])
    weights = weights / weights.sum(axis=1, keepdims=True)
    share = (weights * truth).sum(axis=1)
    start = np.log(share) - np.log1p(-share)
    fit = _fit(features, truth[:, None, :], weights, start[:, None], strengths, False, tolerance, max_iterations)
    return LogisticFit(fit.weights[:, :, 0], fit.intercepts[:, :, 0], fit.converged, fit.left, fit.iterations)


def fit_multinomial(
    features: np.ndarray,
    classes: np.ndarray,
    n_classes: int,
    strengths: Sequence[float] = STRENGTHS,
    class_weights: np.ndarray | None = None,
    balanced: bool = False,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
) -> LogisticFit:
    """One softmax model per strength, for classes that exclude each other; every class has its own weights.

    Args:
        features: [n, D], standardised by the caller.
        classes: whole numbers [n] below `n_classes`, or [n, K] for K separate models; -1 leaves the row out.
        n_classes: C.
        strengths: S penalties, each > 0.
        class_weights: [C], >= 0: the weight of every row of that class.
        balanced: also weigh rows so that all classes present count alike.
        tolerance: as in `fit_binary`.
        max_iterations: as in `fit_binary`.

    Returns weights [S, C, D] ([S, K, C, D] for several columns) and intercepts without the last axis.
    A class without a row gets probability 0. Raises ValueError as `fit_binary` does.
    """
    features = _checked_features(features)
    columns = np.asarray(classes).reshape(len(classes), -1)
    if len(columns) != len(features) or not np.issubdtype(columns.dtype, np.integer):
        raise ValueError(f"classes must be whole numbers, one for each of the {len(features)} rows")
    if columns.size and (columns.min() < -1 or columns.max() >= n_classes):
        raise ValueError(f"classes must lie between 0 and {n_classes - 1} (or be -1: left out)")
    truth = (columns.T[:, None, :] == np.arange(n_classes)[:, None]).astype(np.float64)
    of_class = np.ones(n_classes) if class_weights is None else _checked_weights(class_weights, (n_classes,))
    weights = np.einsum("kcn,c->kn", truth, of_class)
    total = np.einsum("kcn,kn->kc", truth, weights)
    single = np.flatnonzero((total > 0).sum(axis=1) < 2)
    if single.size:
        raise ValueError(f"fewer than two classes in column {', '.join(map(str, single))}: nothing to fit")
    if balanced:
        inverse = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
        weights = weights * np.einsum("kcn,kc->kn", truth, inverse)
    weights = weights / weights.sum(axis=1, keepdims=True)
    share = np.einsum("kcn,kn->kc", truth, weights)
    start = np.log(share, out=np.full_like(share, _NEVER), where=share > 0)
    fit = _fit(features, truth, weights, start, strengths, True, tolerance, max_iterations)
    intercepts = np.where(share > 0, fit.intercepts, -np.inf)
    if np.ndim(classes) > 1:
        return LogisticFit(fit.weights, intercepts, fit.converged, fit.left, fit.iterations)
    return LogisticFit(fit.weights[:, 0], intercepts[:, 0], fit.converged[:, 0], fit.left[:, 0], fit.iterations[:, 0])


def _fit(
    features: np.ndarray,
    truth: np.ndarray,
    weights: np.ndarray,
    start: np.ndarray,
    strengths: Sequence[float],
    softmax: bool,
    tolerance: float,
    max_iterations: int,
) -> LogisticFit:
    """All strengths of K cases: truth [K, C, n], weights [K, n], intercepts to begin at [K, C]."""
    penalties = np.asarray(strengths, dtype=np.float64)
    if penalties.ndim != 1 or not penalties.size or not (np.isfinite(penalties).all() and (penalties > 0).all()):
        raise ValueError("strengths must be one or more finite numbers above 0")
    mean = features.mean(axis=0)
    rotated, spectrum, back = _eigenbasis(features - mean)
    n_cases, n_outputs, n_rows = truth.shape
    n_strengths, rank = len(penalties), len(spectrum)
    # The intercept is one more coordinate: a column of ones, orthogonal to centred features.
    rows = np.concatenate([rotated, np.ones((n_rows, 1))], axis=1)
    penalty = np.concatenate([np.repeat(penalties[:, None], rank, axis=1), np.zeros((n_strengths, 1))], axis=1)
    problems = Problems(
        rows=rows,
        spectrum=np.append(spectrum / n_rows, 1.0),
        penalties=np.repeat(penalty, n_cases, axis=0),
        truth=truth,
        weights=weights,
        case=np.tile(np.arange(n_cases), n_strengths),
        softmax=softmax,
    )
    first = np.zeros((n_strengths, n_cases, n_outputs, rank + 1))
    first[..., -1] = start
    solved, left, iterations = minimise(problems, first.reshape(-1, n_outputs, rank + 1), tolerance, max_iterations)
    solved = solved.reshape(first.shape)
    found = solved[..., :-1] @ back
    shape = (n_strengths, n_cases)
    return LogisticFit(
        weights=found,
        intercepts=solved[..., -1] - found @ mean,
        converged=(left <= tolerance).reshape(shape),
        left=left.reshape(shape),
        iterations=iterations.reshape(shape),
    )


def _eigenbasis(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rotated rows [n, r], their eigenvalues [r] and the way back [r, D], r at most min(n, D).

    Directions in which the rows do not differ are left out: the penalty keeps them at 0 anyway.
    """
    n_rows, n_features = centred.shape
    wide = n_rows < n_features
    gram = centred @ centred.T if wide else centred.T @ centred
    values, vectors = linalg.eigh(gram, driver="evd", overwrite_a=True, check_finite=False)
    kept = values > values[-1] * np.finfo(np.float64).eps * max(n_rows, n_features)
    values, vectors = values[kept], np.ascontiguousarray(vectors[:, kept])
    root = np.sqrt(values)
    if wide:
        return vectors * root, values, (vectors / root).T @ centred
    return centred @ vectors, values, np.ascontiguousarray(vectors.T)


def _checked_features(features: np.ndarray, may_be_empty: bool = False) -> np.ndarray:
    features = np.asarray(features, dtype=np.float64)
    if features.ndim != 2 or features.shape[1] == 0 or not (may_be_empty or len(features)):
        raise ValueError(f"features must be [samples, dimensions], not {list(features.shape)}")
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if bad.size:
        raise ValueError(f"features of {bad.size} samples are NaN or infinite, the first is row {bad[0]}")
    return features


def _checked_weights(weights: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    if weights is None:
        return np.ones(shape)
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != shape or not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(f"weights must be finite, at least 0 and of shape {list(shape)}")
    return weights
