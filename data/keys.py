"""Random numbers that depend on a sample's key alone, not on its place in a batch or on who drew before."""

from __future__ import annotations

import numpy as np

_GOLDEN = 0x9E3779B97F4A7C15


def fold(*parts: int | np.ndarray) -> np.ndarray:
    """One key a sample from whatever tells its draws apart, such as `fold(seed, epoch, sample_numbers)`.

    Args:
        parts: integers, or arrays of integers that broadcast against each other; their order matters.

    Returns:
        int64 keys, 0 or more, of the broadcast shape; equal on every machine.
    """
    key = np.zeros((), dtype=np.uint64)
    for part in parts:
        key = _scramble(key ^ np.asarray(part).astype(np.int64).view(np.uint64))
    return (key >> np.uint64(1)).astype(np.int64)


def uniform(keys: np.ndarray, draw: int) -> np.ndarray:
    """The `draw`-th random number of each key: float64 in [0, 1), of the shape of `keys`."""
    return fold(keys, draw) / np.float64(2.0**63)


def _scramble(value: np.ndarray) -> np.ndarray:
    """One step of SplitMix64 (Steele, Lea, Flood 2014): every bit of the result depends on every bit of `value`."""
    with np.errstate(over="ignore"):
        value = value + np.uint64(_GOLDEN)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return value ^ (value >> np.uint64(31))
