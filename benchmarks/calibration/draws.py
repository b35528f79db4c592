"""Differences of two equal models' scores over draws of one training pool, and over splits of one dataset."""

from __future__ import annotations

import numpy as np

POOL = 1000
# Random keys held at a time.
_KEYS = 4_000_000


def drawn_from_pools(n: int, draws: int, fraction: float, rng: np.random.Generator, pool: int = POOL) -> np.ndarray:
    """Differences [n, draws] of one test set's score, each experiment with a pool of its own.

    Every patient of a pool adds a normal contribution to the difference, 0 on average over pools; a draw's
    difference is the mean over its patients, which are drawn without replacement.
    """
    return _means_over_subsets(rng, n, draws, pool, round(pool * fraction))


def cross_validated(
    n: int, splits: int, size: int, test_share: float, rng: np.random.Generator
) -> tuple[np.ndarray, int, int]:
    """Differences [n, splits] over random splits of one dataset, and the sizes of training and test part.

    A split's difference is the mean over its own test samples: the training parts overlap so much that they
    give almost one model, which is what Nadeau and Bengio's correction supposes.
    """
    n_test = round(size * test_share)
    return _means_over_subsets(rng, n, splits, size, n_test), size - n_test, n_test


def _means_over_subsets(rng: np.random.Generator, n: int, subsets: int, size: int, taken: int) -> np.ndarray:
    """Means [n, subsets] over random subsets of `taken` out of `size` normal deviates, anew in each of n rows."""
    found = []
    at_a_time = max(1, _KEYS // (subsets * size))
    for start in range(0, n, at_a_time):
        rows = min(at_a_time, n - start)
        values = np.broadcast_to(rng.standard_normal((rows, 1, size)), (rows, subsets, size))
        keys = rng.random((rows, subsets, size), dtype=np.float32)
        chosen = np.argpartition(keys, taken - 1, axis=-1)[..., :taken]
        found.append(np.take_along_axis(values, chosen, axis=-1).mean(axis=-1))
    return np.concatenate(found)
