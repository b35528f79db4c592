"""Wilcoxon's signed rank test of paired values of samples that come in clusters: several images of one patient."""

from __future__ import annotations

import numpy as np

from .arguments import finite_scores
from .groups import group_codes
from .influence import clusters_of
from .reasons import first_reason
from .result import TestResult
from .sign_flips import sign_flip_p
from .signed_rank import doubled_ranks
from .tails import two_sided_normal

# Below this many clusters that differ, the normal distribution is left for the exact one.
_EXACT_BELOW = 25


def clustered_wilcoxon_test(
    a: np.ndarray, b: np.ndarray, groups: np.ndarray, *, exact: bool | None = None
) -> TestResult:
    """Two-sided signed rank test of a - b, where several samples come from one cluster (patient).

    |a - b| are ranked over all samples, ties sharing their middle rank and zeros left out; W_c is the sum of the
    signed ranks of cluster c. Where either of a and b may as well have been the other in each cluster as a whole, W_c
    has a random sign, and sum W_c / sqrt(sum W_c^2) is about normal (Rosner, Glynn and Lee 2006, Biometrics 62:185,
    without their weights for clusters of unequal size). Clusters of one sample give the normal p of
    `wilcoxon_test(correction=False)`, and with exact=True its exact p.

    Args:
        a: [..., n] values, such as the Dice of every image; leading axes broadcast.
        b: [..., n] values of the same samples.
        groups: [n] cluster of every sample: numbers or strings, none missing.
        exact: p by the signs of whole clusters instead; None: where fewer than 25 clusters differ (W_c not 0).

    `statistic` is the normal deviate, whatever p is; `estimate` the mean of a - b, `n` the samples. There is no
    interval. All W_c zero: statistic 0, p 1, flagged.

    Raises ValueError for fewer than two clusters, values that are not finite, lengths that differ, or exact=True with
    more than 1,000 clusters that differ.
    """
    a, b = finite_scores(a, "a"), finite_scores(b, "b")
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"a {list(a.shape)} and b {list(b.shape)} differ in length")
    n = a.shape[-1]
    if n == 0 or group_codes(groups, n).max() < 1:
        raise ValueError("a clustered signed rank test needs at least two groups")
    with np.errstate(over="ignore"):
        differences = finite_scores(a - b, "a - b")
    shape, rows = differences.shape[:-1], differences.reshape(-1, n)
    # Twice the ranks, which are whole.
    signed = np.sign(rows).astype(np.int64) * doubled_ranks(np.abs(rows))[0]
    clusters = clusters_of(groups, n)
    of_clusters = signed if clusters is None else clusters.sums(signed)
    n_differing = (of_clusters != 0).sum(axis=1)
    none = n_differing == 0
    root = np.sqrt((of_clusters.astype(np.float64) ** 2).sum(axis=1))
    statistic = np.divide(of_clusters.sum(axis=1), root, out=np.zeros(len(rows)), where=~none)
    p_value, log10_p = two_sided_normal(statistic)
    by_signs = ~none & (n_differing < _EXACT_BELOW if exact is None else bool(exact))
    if by_signs.any():
        positive = np.maximum(of_clusters[by_signs], 0).sum(axis=1)
        p_value[by_signs], log10_p[by_signs] = sign_flip_p(np.abs(of_clusters[by_signs]), positive)
    degenerate = np.asarray(
        first_reason(((rows == 0).all(axis=1), "all differences are zero"), (none, "no cluster differs"))
    )
    return TestResult(
        statistic=statistic.reshape(shape)[()],
        df=np.full(shape, np.nan)[()],
        p_value=p_value.reshape(shape)[()],
        log10_p=log10_p.reshape(shape)[()],
        estimate=rows.mean(axis=1).reshape(shape)[()],
        ci_low=np.full(shape, np.nan)[()],
        ci_high=np.full(shape, np.nan)[()],
        n=np.full(shape, n)[()],
        degenerate=degenerate.reshape(shape)[()],
    )
