"""Exact distribution of a sum of whole numbers whose signs are random: what signed rank and clustered tests share."""

from __future__ import annotations

import numpy as np

# 2^-n leaves the range of a float a little above this.
LARGEST_EXACT = 1000


def sign_flip_p(magnitudes: np.ndarray, positive_sum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two-sided p of sums under random signs, and its logarithm to base 10.

    Args:
        magnitudes: [B, n] whole numbers, 0 or above; zeros have no sign and do not count.
        positive_sum: [B] sum of those of each row that are positive, as a whole number.

    Returns [B] each: twice the smaller tail, at most 1. It is no smaller than 2^-999, so that nothing underflows.
    Raises ValueError for rows of more than 1,000 numbers above 0.
    """
    p_value = np.empty(len(magnitudes))
    # Rows of the same magnitudes have one distribution.
    patterns, which = np.unique(np.sort(magnitudes, axis=1), axis=0, return_inverse=True)
    which = which.reshape(-1)
    for index, pattern in enumerate(patterns):
        mine = which == index
        below = np.cumsum(sum_distribution(pattern[pattern > 0]))
        # The distribution is symmetric: the upper tail from a sum is the lower tail to its mirror.
        smaller = np.minimum(positive_sum[mine], pattern.sum() - positive_sum[mine])
        p_value[mine] = np.minimum(2 * below[smaller], 1.0)
    return p_value, np.log10(p_value)


def sum_distribution(numbers: np.ndarray) -> np.ndarray:
    """Probability of every sum 0 ... sum(numbers) where each number is counted with probability one half."""
    if len(numbers) > LARGEST_EXACT:
        raise ValueError(
            f"{len(numbers)} differences: the exact distribution is for {LARGEST_EXACT} at most; leave out exact=True"
        )
    probability = np.zeros(int(numbers.sum()) + 1)
    probability[0] = 1.0
    reached = 0
    for number in numbers.tolist():
        probability[: reached + 1] /= 2
        probability[number : reached + number + 1] += probability[: reached + 1].copy()
        reached += number
    return probability
