"""Choosing a probe's strength by log-loss, on a validation part or on held-out folds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import log_softmax

# Far below any difference that means something, far above rounding.
_TIE = 1e-9


def strongest_of_best(losses: np.ndarray, strengths: Sequence[float]) -> int:
    """Place of the strength with the lowest of `losses` [S]; among equals, of the strongest."""
    best = np.flatnonzero(losses <= losses.min() + _TIE)
    return int(best[np.argmax(np.asarray(strengths)[best])])


def mean_binary_loss(logits: np.ndarray, targets: np.ndarray, balanced: bool) -> np.ndarray | None:
    """Mean log-loss [S] of logits [S, n] for targets [n] of 0, 1 and NaN (see `_mean`)."""
    classes = np.where(np.isnan(targets), -1, targets).astype(np.int64)
    with np.errstate(invalid="ignore"):  # NaN stands for rows that no fold could predict
        losses = np.logaddexp(0.0, logits) - np.maximum(classes, 0) * logits
    return _mean(losses, classes, balanced)


def mean_softmax_loss(logits: np.ndarray, classes: np.ndarray, balanced: bool) -> np.ndarray | None:
    """Mean log-loss [S] of logits [S, C, n] for classes [n] (see `_mean`)."""
    log_probability = log_softmax(logits, axis=1)
    return _mean(-log_probability[:, classes, np.arange(len(classes))], classes, balanced)


def _mean(losses: np.ndarray, classes: np.ndarray, balanced: bool) -> np.ndarray | None:
    """Mean [S] of losses [S, n]; if `balanced` the mean of the classes' means.

    Rows of class -1 and rows without a finite loss (no model was fitted for them) are left out; None where
    what remains holds fewer than two classes, so that it could not tell one strength from another.
    """
    used = (classes >= 0) & np.isfinite(losses).all(axis=0)
    present = np.unique(classes[used])
    if present.size < 2:
        return None
    if not balanced:
        return losses[:, used].mean(axis=1)
    return np.mean([losses[:, used & (classes == c)].mean(axis=1) for c in present], axis=0)
