"""What every sample, and every group of samples, adds to an AUC's error, and the variance that follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .groups import group_codes
from .ranks import half_pairs


@dataclass(frozen=True)
class Clusters:
    """Samples by the group they belong to.

    Attributes:
        codes: [N], number of every sample's group, 0 to I - 1.
        order: [N], the samples of the first group, then those of the second, and so on.
        first: [I], where each group begins in that order.
    """

    codes: np.ndarray
    order: np.ndarray
    first: np.ndarray

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum values [..., N] over every group: [..., I]."""
        return np.add.reduceat(np.take(values, self.order, axis=-1), self.first, axis=-1)

    def among(self, samples: np.ndarray) -> tuple[Clusters, np.ndarray]:
        """Clusters of the chosen samples [n], and which groups [i] have any of them."""
        kept, codes = np.unique(self.codes[samples], return_inverse=True)
        return _clusters_of_codes(codes), kept


def clusters_of(groups: np.ndarray | None, n_samples: int) -> Clusters | None:
    """Clusters of group ids [N] as `group_codes` takes them; None where every sample is a group of its own."""
    if groups is None:
        return None
    codes = group_codes(groups, n_samples)
    return None if codes.max(initial=-1) + 1 == n_samples else _clusters_of_codes(codes)


def groups_with(positive: np.ndarray, clusters: Clusters | None) -> tuple[np.ndarray, np.ndarray]:
    """Number of groups that hold a positive, and that hold a negative, [...] each; of labels [..., N]."""
    n_samples = positive.shape[-1]
    if clusters is None:
        n_positive = np.asarray(np.count_nonzero(positive, axis=-1))
        return n_positive, n_samples - n_positive
    in_group = clusters.sums(positive.astype(np.int64))
    size = np.diff(clusters.first, append=n_samples)
    return np.asarray(np.count_nonzero(in_group, axis=-1)), np.asarray(np.count_nonzero(size - in_group, axis=-1))


def why_undefined(positive: np.ndarray, clusters: Clusters | None) -> np.ndarray:
    """Why no variance can be had, object array [...]: a class in one group only; None where it can."""
    with_positives, with_negatives = groups_with(positive, clusters)
    reason = np.full(with_positives.shape, None, dtype=object)
    reason[with_negatives < 2] = "a single negative" if clusters is None else "negatives in a single group"
    reason[with_positives < 2] = "a single positive" if clusters is None else "positives in a single group"
    return reason


def covariance_roots(positive: np.ndarray, wins: np.ndarray, clusters: Clusters | None) -> tuple[np.ndarray, ...]:
    """Arrays whose inner products, added, are the covariance of K AUCs or of K differences of AUCs.

    With P and Q the parts of the error that come from the positives and the negatives of a group, Obuchowski's
    variance is c10 P.P + c01 Q.Q + 2 c P.Q, where c10 = I10 / (I10 - 1) for the I10 groups that hold a positive,
    c01 for those that hold a negative, c for all. It is written as c (P + Q).(P + Q) + (c10 - c) P.P +
    (c01 - c) Q.Q, where no term can be negative. Without groups P.Q is 0, and one array is enough.

    Errors are counted in whole numbers (held in float64, exact up to 2^53) up to the one factor at the end, so
    that what cancels, cancels exactly, and a variance is never a rounding error.

    Args:
        positive: [B, N] booleans.
        wins: [B, K, N] `half_wins` of K models, or differences of them.
        clusters: groups of samples, of all B rows.

    Returns one array [B, K, N] without groups, three [B, K, I] with I groups. They mean nothing in rows that
    `why_undefined` names.
    """
    total = half_pairs(positive[:, None], wins)[..., None]
    positive = positive[:, None]
    m = np.count_nonzero(positive, axis=-1, keepdims=True)
    n = positive.shape[-1] - m
    # A sample's wins less the mean of its class, times the size of its class.
    error = np.where(positive, m, n) * wins - total
    # Two half-counts a pair, m n pairs; and the size of the class from above.
    scale = 1 / (2 * (m * n.astype(np.float64)) ** 2)
    if clusters is None:
        weights = n * (scale * np.sqrt(_factor(m))), m * (scale * np.sqrt(_factor(n)))
        return (error * np.where(positive, *weights),)
    of_positives = clusters.sums(error * positive) * n
    of_negatives = clusters.sums(error * ~positive) * m
    with_positives, with_negatives = groups_with(positive, clusters)
    common = _factor(np.array(len(clusters.first)))
    return (
        (of_positives + of_negatives) * (scale * np.sqrt(common)),
        of_positives * (scale * _root_of_excess(with_positives[..., None], common)),
        of_negatives * (scale * _root_of_excess(with_negatives[..., None], common)),
    )


def covariance(positive: np.ndarray, wins: np.ndarray, clusters: Clusters | None) -> np.ndarray:
    """Covariance [B, K, K] from booleans [B, N] and `half_wins`, or differences of them, [B, K, N]."""
    roots = covariance_roots(positive, wins, clusters)
    return sum((root @ root.swapaxes(-1, -2) for root in roots[1:]), start=roots[0] @ roots[0].swapaxes(-1, -2))


def _clusters_of_codes(codes: np.ndarray) -> Clusters:
    sizes = np.bincount(codes)
    return Clusters(codes, np.argsort(codes, kind="stable"), np.cumsum(sizes) - sizes)


def _factor(count: np.ndarray) -> np.ndarray:
    """count / (count - 1), and 1 where the count is 1 and no variance can be had."""
    return count / np.maximum(count - 1, 1)


def _root_of_excess(count: np.ndarray, common: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(_factor(count) - common, 0))
