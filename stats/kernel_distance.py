"""Kernel distance of two sets of feature vectors: without the bias that a Fréchet distance has in small sets."""

from __future__ import annotations

import numpy as np

from .frechet_distance import feature_vectors
from .weighted import WeightedMetric


def kernel_distance(a: np.ndarray, b: np.ndarray, paired: bool = False) -> float:
    """Squared maximum mean discrepancy with the kernel (x.y / D + 1)^3, unbiased (Binkowski 2018, arXiv:1801.01401).

    Over all vectors at once, not as a mean over random subsets. Its expectation is 0 for two samples of one
    distribution at any number of images, so that it may be negative, and numbers of other counts compare. With
    features of the Inception network of 2015 it is the KID.

    Args:
        a: [N, D] finite numbers, N at least 2.
        b: [M, D].
        paired: row i of both belongs to one image, so that the two depend on each other: pairs of a row with itself
            are then left out of the products of a and b too (Gretton 2012, JMLR 13:723, equation 4).

    Raises ValueError for other shapes, NaN or infinite numbers, fewer than two vectors, and pairs of unequal counts.
    """
    a, b = feature_vectors(a, "a"), feature_vectors(b, "b")
    if a.shape[1] != b.shape[1] or (paired and len(a) != len(b)):
        raise ValueError(f"vectors {list(a.shape)} and {list(b.shape)} cannot be compared")
    if paired:
        return float(weighted_kernel_distance(a, b)(np.ones((1, len(a))))[0])
    n, m = len(a), len(b)
    within_a, within_b = _kernel(a, a), _kernel(b, b)
    return float(
        (within_a.sum() - np.trace(within_a)) / (n * (n - 1))
        + (within_b.sum() - np.trace(within_b)) / (m * (m - 1))
        - 2 * _kernel(a, b).mean()
    )


def weighted_kernel_distance(a: np.ndarray, b: np.ndarray) -> WeightedMetric:
    """`kernel_distance` of N pairs of vectors as a function of how often each pair counts, for bootstrap intervals.

    No vector is held against its own copies, which would make a resample's distance larger than that of a sample: an
    image of weight 2 counts twice against the others, and never against itself.

    Args:
        a, b: [N, D]; row i of both belongs to one image, whose weight counts for both.

    Weights under which fewer than two different vectors count give NaN. Raises ValueError as `kernel_distance` does.
    """
    a, b = feature_vectors(a, "a"), feature_vectors(b, "b")
    if a.shape != b.shape:
        raise ValueError(f"vectors {list(a.shape)} and {list(b.shape)} are no pairs")
    between = _kernel(a, b)
    kernel = _kernel(a, a) + _kernel(b, b) - between - between.T
    np.fill_diagonal(kernel, 0.0)

    def values(weights: np.ndarray) -> np.ndarray:
        weights = np.asarray(weights, dtype=np.float64)
        pairs = weights.sum(axis=1) ** 2 - (weights**2).sum(axis=1)
        sums = np.einsum("rn,rn->r", weights @ kernel, weights)
        return np.divide(sums, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)

    return WeightedMetric(len(a), values)


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a @ b.T / a.shape[1] + 1) ** 3
