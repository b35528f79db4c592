"""Resamples of samples or of patients, as how often each sample is drawn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .influence import clusters_of

# Weights held at a time: enough to keep numpy's overhead small, and small enough for the processor's cache.
_WEIGHTS_AT_A_TIME = 2**19
# Blocks of units that the jackknife leaves out in turn. With more units than this, leaving out random blocks of them
# gives the same acceleration up to 0.65 / blocks, far below what a few thousand resamples resolve.
_JACKKNIFE_BLOCKS = 1000


class Units:
    """What is drawn: each of n samples, or each patient with all its samples.

    Args:
        n_samples: N.
        groups: [N] number or name of each sample's patient; None draws samples.

    Raises ValueError for groups of another length, some of them missing, or fewer than two units.
    """

    def __init__(self, n_samples: int, groups: np.ndarray | None) -> None:
        clusters = clusters_of(groups, n_samples)
        self.n_samples = n_samples
        # None also where every patient has one sample: the same draws as without groups.
        self._codes = None if clusters is None else clusters.codes
        self.n_units = n_samples if clusters is None else len(clusters.first)
        if self.n_units < 2:
            raise ValueError(f"{self.n_units} {'samples' if groups is None else 'groups'}: a bootstrap needs two")

    def resamples(self, n_resamples: int, seed: int, batch: int | None = None) -> Iterator[np.ndarray]:
        """Weights [B, N] (int32) of resamples, batch after batch; the same numbers whatever the batches' size."""
        rng = np.random.default_rng(seed)
        at_a_time = batch or max(1, _WEIGHTS_AT_A_TIME // self.n_samples)
        for start in range(0, n_resamples, at_a_time):
            rows = min(at_a_time, n_resamples - start)
            drawn = rng.integers(0, self.n_units, size=(rows, self.n_units))
            drawn += np.arange(rows)[:, None] * self.n_units
            counts = np.bincount(drawn.ravel(), minlength=rows * self.n_units)
            yield self._of_samples(counts.reshape(rows, self.n_units).astype(np.int32))

    def jackknife(self, seed: int, batch: int | None = None) -> Iterator[np.ndarray]:
        """Weights [B, N] (int32) that leave out each unit in turn; of over 1,000 units, each of 1,000 random blocks."""
        block = np.arange(self.n_units)
        if self.n_units > _JACKKNIFE_BLOCKS:
            block = np.random.default_rng(seed).permutation(self.n_units) % _JACKKNIFE_BLOCKS
        n_blocks = min(self.n_units, _JACKKNIFE_BLOCKS)
        at_a_time = batch or max(1, _WEIGHTS_AT_A_TIME // self.n_samples)
        for start in range(0, n_blocks, at_a_time):
            left_out = np.arange(start, min(start + at_a_time, n_blocks))
            yield self._of_samples((block != left_out[:, None]).astype(np.int32))

    def _of_samples(self, counts: np.ndarray) -> np.ndarray:
        return counts if self._codes is None else np.take(counts, self._codes, axis=1)
