"""DeLong's test of the mean AUC over several labels."""

from __future__ import annotations

import numpy as np

from .delong import DeLongResult, wald_test, z_of
from .influence import clusters_of, covariance_roots, why_undefined
from .ranks import checked_scores, half_pairs, half_wins, pairs


def macro_auc_test(
    y_true: np.ndarray,
    score_a: np.ndarray,
    score_b: np.ndarray,
    groups: np.ndarray | None = None,
    level: float = 0.95,
) -> DeLongResult:
    """Two-sided paired test of equal mean AUCs, over labels, of two models on the same samples.

    The variance is an infinitesimal jackknife: what a sample adds to the error of the difference (its placement
    value less the mean of its class, over the size of the class) is averaged over labels and replicates, added up
    by group, squared and summed, so that labels that vary together are allowed for. The factors for few samples
    are those of DeLong (1988) or, with groups, Obuchowski (1997): for one label and no replicates this is
    `delong_test` exactly. For the covariance of two labels l and k, which neither paper has, they are the geometric
    means of the two labels': sqrt(c_l c_k) without groups, with c = m / (m - 1) of the class that the sample has in
    each label, and as in `covariance_roots` with groups.

    Replicates: models trained on J draws and tested on this one test set. The mean over J of the difference is
    tested as far as the test set is a sample; how the draws vary is not in this variance.

    Degenerate cases as in `delong_test`: no variance of the difference, or labels with one positive or one
    negative only (with groups: positives, or negatives, in one group only), which are named.

    Args:
        y_true: [L, N] of 0 and 1, or booleans; NaN where a label is not known of a sample, which is then left out
            for this label.
        score_a, score_b: [L, N] or [J, L, N], higher is more positive, NaN nowhere.
        groups: [N] ids of patients, integers or strings.
        level: of the interval of the difference.

    Returns a DeLongResult of scalars: estimate, auc_a and auc_b are means over labels and replicates, n is N.
    Raises ValueError as `delong_test`, and for labels that hold one class only, naming their rows.
    """
    z_level = z_of(level)
    truth, known = _checked_truth(y_true)
    a, b = _checked_replicates(truth, score_a, score_b)
    n_replicates, n_labels, n_samples = a.shape
    clusters = clusters_of(groups, n_samples)
    # As many arrays as `covariance_roots` gives.
    errors = np.zeros((1, n_samples) if clusters is None else (3, len(clusters.first)))
    areas, estimates, reasons = np.empty((2, n_labels)), np.empty(n_labels), []
    for label in range(n_labels):
        samples = np.flatnonzero(known[label])
        positive = truth[label, samples] == 1
        among, kept = (None, samples) if clusters is None else clusters.among(samples)
        wins = np.array([half_wins(positive, score[:, label, samples]).sum(axis=0) for score in (a, b)])
        won, most = half_pairs(positive, wins), 2 * pairs(positive) * n_replicates
        areas[:, label], estimates[label] = won / most, (won[0] - won[1]) / most
        roots = covariance_roots(positive[None], (wins[0] - wins[1])[None, None], among)
        errors[:, kept] += np.concatenate(roots)[:, 0]
        reason = why_undefined(positive, among)[()]
        reasons += [f"label {label} has {reason}"] if reason else []
    variance = np.sum((errors / (n_replicates * n_labels)) ** 2)
    flag = np.array("; ".join(reasons) or None, dtype=object)
    return wald_test(estimates.mean(), variance, flag, z_level, n_samples, *areas.mean(axis=1))


def _checked_truth(y_true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels [L, N], and where they are known."""
    truth = np.asarray(y_true)
    if truth.ndim != 2:
        raise ValueError(f"labels {list(truth.shape)} must be [labels, samples]")
    if truth.size == 0:
        raise ValueError(f"no samples or no labels in {list(truth.shape)}: the AUC is not defined")
    if truth.dtype != bool and not np.issubdtype(truth.dtype, np.number):
        raise ValueError("labels must be 0 and 1, or booleans; NaN where they are not known")
    known = ~np.isnan(truth)
    if not ((truth == 0) | (truth == 1) | ~known).all():
        raise ValueError("labels must be 0 and 1, or booleans; NaN where they are not known")
    n_positive, n_known = (truth == 1).sum(axis=1), known.sum(axis=1)
    bad = np.flatnonzero((n_positive == 0) | (n_positive == n_known))
    if len(bad):
        raise ValueError(f"one class only among the known samples of label {', '.join(map(str, bad))}: leave it out")
    return truth, known


def _checked_replicates(truth: np.ndarray, score_a: np.ndarray, score_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both scores as [J, L, N]."""
    scores = checked_scores(score_a, truth), checked_scores(score_b, truth)
    for score in scores:
        if score.ndim not in (2, 3) or score.shape[-2:] != truth.shape:
            raise ValueError(
                f"scores {list(score.shape)} must be as the labels {list(truth.shape)}, or replicates of that"
            )
        if score.shape[0] == 0:
            raise ValueError(f"no replicates in scores {list(score.shape)}")
    shape = np.broadcast_shapes((1, *truth.shape), *(score.shape for score in scores))
    return np.broadcast_to(scores[0], shape), np.broadcast_to(scores[1], shape)
