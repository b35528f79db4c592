"""Student's t for paired values of samples that come in clusters: several images of one patient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .arguments import finite_scores
from .influence import clusters_of
from .paired import paired_t_test, t_test_of_means
from .result import TestResult


def clustered_paired_t_test(a: np.ndarray, b: np.ndarray, groups: np.ndarray, *, level: float = 0.95) -> TestResult:
    """Two-sided t-test of the mean over samples of a - b, where several samples come from one cluster (patient).

    With d the differences of n samples in C clusters, D their mean and S_c the sum of d - D over cluster c, the mean
    has the cluster-robust variance C / (C - 1) sum S_c^2 / n^2 (Liang and Zeger 1986, Biometrika 73:13; Cameron and
    Miller 2015, J. Human Resources 50:317, with their factor for few clusters), df = C - 1. Every sample counts once,
    so clusters of many samples count more. Clusters of one sample give `paired_t_test`. It needs many clusters, none
    of which holds a large part of the samples.

    Args:
        a: [..., n] values, such as the Dice of every image; leading axes broadcast.
        b: [..., n] values of the same samples.
        groups: [n] cluster of every sample: numbers or strings, none missing.
        level: of the confidence interval, above 0 and below 1.

    `n` counts samples. Degenerate as `paired_t_test`, of clusters: all D + C S_c / n are zero, or equal.

    Raises ValueError for fewer than two clusters, values that are not finite numbers, or lengths that differ.
    """
    a, b = finite_scores(a, "a"), finite_scores(b, "b")
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"a {list(a.shape)} and b {list(b.shape)} differ in length")
    n = a.shape[-1]
    clusters = clusters_of(groups, n)
    if clusters is None:
        return paired_t_test(a, b, level=level)
    n_clusters = len(clusters.first)
    if n_clusters < 2:
        raise ValueError(f"{n_clusters} group: a clustered t-test needs at least two")
    a, b = np.broadcast_arrays(a, b)
    with np.errstate(over="ignore"):
        differences = finite_scores(a - b, "a - b")
    mean = differences.mean(axis=-1, keepdims=True)
    # Their mean is D and their plain variance over C is the one above.
    of_clusters = mean + n_clusters / n * clusters.sums(differences - mean)
    most = np.bincount(clusters.codes).max() * n_clusters / n
    largest = np.maximum(np.abs(a), np.abs(b)).max(axis=-1, initial=0.0) * most
    found = t_test_of_means(of_clusters, largest, level)
    return replace(found, n=np.full(np.shape(found.estimate), n)[()])
