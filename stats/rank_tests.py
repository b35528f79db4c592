"""Tests by ranks of several methods over blocks: Friedman's, and Nemenyi's of every pair after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from .midranks import doubled_midranks
from .reasons import first_reason
from .result import TestResult
from .studentized_range import studentized_range_quantile, upper_studentized_range
from .tails import upper_chi_squared


@dataclass(frozen=True)
class FriedmanResult(TestResult):
    """Friedman's test; `estimate` is Kendall's W, 0 (no agreement of the blocks) to 1, and `n` counts blocks.

    Attributes:
        mean_ranks: [..., k], 1 for a method with the lowest value in every block.
        f_statistic: Iman and Davenport's F, less conservative than the chi-squared; infinite where all blocks agree.
        f_df: its degrees of freedom, k - 1 and (k - 1)(n - 1).
        f_p_value: its p; where F is infinite, the exact chance that all blocks agree.
    """

    mean_ranks: Any = None
    f_statistic: Any = float("nan")
    f_df: tuple[int, int] = (0, 0)
    f_p_value: Any = float("nan")


@dataclass(frozen=True)
class NemenyiResult(TestResult):
    """Every pair of methods: fields of the test are [k, k], row against column; `n` counts blocks.

    Attributes:
        mean_ranks: [k], 1 for a method with the lowest value in every block.
        critical_difference: mean ranks that differ by at least this are told apart at the level asked for.
        different: [k, k] booleans, p at most that level; what `letters` takes.
    """

    mean_ranks: Any = None
    critical_difference: float = float("nan")
    different: Any = None


def friedman_test(blocks: np.ndarray) -> FriedmanResult:
    """Friedman's test: do k methods, each measured in every block, rank alike on average?

    Values are ranked within each block, ties by their middle rank, and the chi-squared statistic is corrected for ties
    (R: friedman.test). Beside it stands Iman and Davenport's F = (n - 1) chi2 / (n (k - 1) - chi2), 1980. Blocks must
    be independent: tasks, not replicates of one task. Rank 1 is the lowest value; p is the same either way.

    Args:
        blocks: [..., n_blocks, k] measurements; infinite values are ranked.

    Degenerate, flagged: all methods tied in all blocks: statistic 0, p 1, F 0. Raises ValueError for fewer than two
    blocks or methods, and for NaN.
    """
    values = _blocks(blocks)
    n, k = values.shape[-2:]
    doubled, totals, spread, tied = _doubled_ranks(values)
    statistic = (k - 1) * (totals**2).sum(-1) / np.where(tied, 1, spread)
    p_value, log10_p = upper_chi_squared(statistic, k - 1)
    f_df = (k - 1, (k - 1) * (n - 1))
    # Whole numbers: F is infinite exactly where every block has the same ranks.
    remainder = n * spread - (totals**2).sum(-1)
    agree = (remainder == 0) & ~tied
    f_statistic = (n - 1) * (totals**2).sum(-1) / np.where(remainder == 0, 1, remainder)
    f_p_value = np.where(agree, _chance_of_agreement(values), special.fdtrc(*f_df, f_statistic))
    return FriedmanResult(
        statistic=statistic[()],
        df=np.full(statistic.shape, float(k - 1))[()],
        p_value=p_value[()],
        log10_p=log10_p[()],
        estimate=(statistic / (n * (k - 1)))[()],
        n=n,
        degenerate=first_reason((tied, "all values tied")),
        mean_ranks=doubled.sum(-2) / (2 * n),
        f_statistic=np.where(agree, np.inf, f_statistic)[()],
        f_df=f_df,
        f_p_value=f_p_value[()],
    )


def nemenyi(blocks: np.ndarray, level: float = 0.05) -> NemenyiResult:
    """Nemenyi's test of every pair of k methods over blocks, for all pairs at once.

    Differences of mean ranks, divided by sqrt(k (k + 1) / (12 n)), are referred to the studentised range of k with
    infinite df (Demsar 2006; ties are not corrected for, which errs on the safe side). `estimate` is the difference of
    mean ranks, and its intervals, of the critical difference either way, hold together at 1 - level.

    Args:
        blocks: [n_blocks, k] measurements; Friedman's test and this one rank them alike.
        level: chance, over all pairs together, to tell equal methods apart.

    Degenerate, flagged: all methods tied in all blocks: every p is 1. Raises ValueError as `friedman_test`, and for a
    level that is not between 0 and 1.
    """
    values = _blocks(blocks)
    if values.ndim != 2:
        raise ValueError(f"nemenyi takes one array [n_blocks, k], not {list(values.shape)}")
    n, k = values.shape
    doubled, totals, _, tied = _doubled_ranks(values)
    difference = (totals[:, None] - totals[None, :]) / (2 * n)
    rows, columns = np.triu_indices(k, 1)
    scale = np.sqrt(k * (k + 1) / (12 * n))
    statistic = np.abs(difference) / scale
    p_value, log10_p = np.ones((k, k)), np.zeros((k, k))
    upper = upper_studentized_range(statistic[rows, columns], k)
    p_value[rows, columns], log10_p[rows, columns] = upper
    p_value[columns, rows], log10_p[columns, rows] = upper
    critical = studentized_range_quantile(level, k) * scale
    return NemenyiResult(
        statistic=statistic,
        df=float("inf"),
        p_value=p_value,
        log10_p=log10_p,
        estimate=difference,
        ci_low=difference - critical,
        ci_high=difference + critical,
        n=n,
        degenerate="all values tied" if tied else None,
        mean_ranks=doubled.sum(0) / (2 * n),
        critical_difference=critical,
        different=p_value <= level,
    )


def _blocks(blocks: np.ndarray) -> np.ndarray:
    values = np.asarray(blocks, dtype=np.float64)
    if values.ndim < 2:
        raise ValueError(f"blocks must be [n_blocks, k], not {list(values.shape)}")
    n, k = values.shape[-2:]
    if n < 2 or k < 2:
        raise ValueError(f"at least two blocks and two methods are needed, not {n} and {k}")
    if np.isnan(values).any():
        raise ValueError(f"{int(np.isnan(values).sum())} values are NaN: ranks need every method in every block")
    return values


def _doubled_ranks(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Twice the ranks [..., n, k], their sums over blocks less the mean, their sum of squares, and whether all tie."""
    doubled = doubled_midranks(values)
    centred = doubled - (values.shape[-1] + 1)
    spread = (centred**2).sum((-1, -2))
    return doubled, centred.sum(-2), spread, spread == 0


def _chance_of_agreement(values: np.ndarray) -> np.ndarray:
    """Chance that the ranks of all later blocks fall as in the first, were every order as likely (Conover 1999)."""
    n, k = values.shape[-2:]
    first = values[..., 0, :]
    place_in_tie = np.tril(first[..., None, :] == first[..., :, None]).sum(-1)
    log_orders = special.gammaln(k + 1) - np.log(place_in_tie).sum(-1)
    return np.exp(-(n - 1) * log_orders)
