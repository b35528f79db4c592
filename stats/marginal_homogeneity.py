"""Tests of a square table: do two raters use the categories equally often, and is the table symmetric?"""

from __future__ import annotations

import numpy as np

from .counts import square_counts
from .reasons import first_reason
from .result import TestResult
from .tails import upper_chi_squared


def stuart_maxwell_test(table: np.ndarray) -> TestResult:
    """Stuart-Maxwell test of marginal homogeneity: do both raters give every category equally often?

    It says nothing about accuracy: two models of very different accuracy pass it when their totals agree, and
    two equally accurate ones fail it when they err towards different classes.

    With differences of the margins d and their covariance S under the null (S_ii = n_i. + n_.i - 2 n_ii,
    S_ij = -(n_ij + n_ji)), the statistic is d' S^- d. S is the Laplacian of the graph whose edges are the
    off-diagonal counts, so its rank is the number of categories in use minus the number of connected components
    of that graph; this is df, and one category of each component is left out. For a connected graph df is
    K - 1, and for two categories the test is McNemar's without correction. R: coin::mh_test.

    Args:
        table: [..., K, K] counts, one rater in rows, the other in columns.

    Degenerate, flagged: no counts at all, one category in use, or no sample on which the raters differ (df 0):
    statistic 0, df 0, p 1. `estimate` and the interval are NaN. Raises ValueError for tables that are empty or
    not square, and for counts that are negative, NaN or not whole.
    """
    counts = square_counts(table)
    k = counts.shape[-1]
    difference = counts.sum(-1) - counts.sum(-2)
    edges = _without_diagonal(counts + np.swapaxes(counts, -1, -2))
    kept = _all_but_the_first_of_each_component(edges > 0)
    identity = np.eye(k)
    laplacian = edges.sum(-1)[..., None] * identity - edges
    both_kept = kept[..., :, None] & kept[..., None, :]
    # Categories left out become an equation x = 0 of their own, so that the tables of a batch keep one size.
    covariance = np.where(both_kept, laplacian, identity)
    reduced = np.where(kept, difference, 0.0)[..., None]
    statistic = (reduced * np.linalg.solve(covariance, reduced)).sum((-1, -2))
    return _chi_squared_result(counts, np.maximum(statistic, 0.0), kept.sum(-1))


def bowker_test(table: np.ndarray) -> TestResult:
    """Bowker's test of symmetry: is (i, j) as frequent as (j, i) for every pair of categories?

    The sum over pairs of (n_ij - n_ji)^2 / (n_ij + n_ji) is chi-squared; only pairs that occur are summed and
    counted in df. R's mcnemar.test gives the same where every pair occurs and NaN elsewhere.

    Args:
        table: [..., K, K] counts, one rater in rows, the other in columns.

    Degenerate, flagged: no counts, one category in use, or no sample on which the raters differ: statistic 0,
    df 0, p 1. `estimate` and the interval are NaN. Raises ValueError as `stuart_maxwell_test`.
    """
    counts = square_counts(table)
    rows, columns = np.triu_indices(counts.shape[-1], 1)
    above, below = counts[..., rows, columns], counts[..., columns, rows]
    pair = above + below
    terms = np.divide((above - below) ** 2, pair, out=np.zeros_like(pair), where=pair > 0)
    return _chi_squared_result(counts, terms.sum(-1), (pair > 0).sum(-1))


def _without_diagonal(tables: np.ndarray) -> np.ndarray:
    return np.where(np.eye(tables.shape[-1], dtype=bool), 0.0, tables)


def _all_but_the_first_of_each_component(edges: np.ndarray) -> np.ndarray:
    """True [..., K] for every node of an undirected graph [..., K, K] from which a node before it can be reached."""
    k = edges.shape[-1]
    reached = edges | np.eye(k, dtype=bool)
    for _ in range(max(k - 1, 1).bit_length()):
        # Paths of twice the length; counts of paths up to K are exact in float32.
        paths = reached.astype(np.float32)
        reached = paths @ paths > 0
    return reached.argmax(-1) < np.arange(k)


def _chi_squared_result(counts: np.ndarray, statistic: np.ndarray, df: np.ndarray) -> TestResult:
    p_value, log10_p = upper_chi_squared(statistic, np.maximum(df, 1))
    none = df == 0
    in_use = (counts.sum(-1) + counts.sum(-2) > 0).sum(-1)
    return TestResult(
        statistic=np.where(none, 0.0, statistic)[()],
        df=df.astype(np.float64)[()],
        p_value=np.where(none, 1.0, p_value)[()],
        log10_p=np.where(none, 0.0, log10_p)[()],
        n=counts.sum((-1, -2)).astype(np.int64)[()],
        degenerate=first_reason(
            (in_use == 0, "no counts"), (in_use == 1, "one category only"), (none, "no disagreement")
        ),
    )
