"""An interval for the difference of two proportions on the same samples."""

from __future__ import annotations

import numpy as np
from scipy import special

from .arguments import check_level

# Halvings of an interval of at most 2 until it is below the spacing of floats near its ends.
_HALVINGS = 60


def tango_interval(
    only_a: np.ndarray, only_b: np.ndarray, n: np.ndarray, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Tango's score interval for the proportion of a less that of b in n pairs.

    It holds every difference x that the score test does not reject: (only_a - only_b - n x)^2 <=
    z^2 n (2 q + x (1 - x)), q being the most likely proportion of pairs of b only, given x. At x = 0 this is
    McNemar's uncorrected test. No discordant pair gives +-z^2 / (n + z^2). Tango 1998, Statistics in Medicine 17.

    Args:
        only_a: [...] pairs that only a has; only_b: those that only b has; n: all pairs.
        level: between 0 and 1; ValueError otherwise.

    Returns the lower and upper ends, within -1 to 1; NaN where n is 0.
    """
    check_level(level)
    only_a, only_b, n = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (only_a, only_b, n)))
    z_squared = special.ndtri((1 + level) / 2) ** 2
    size = np.where(n > 0, n, 1.0)
    centre = (only_a - only_b) / size
    # The lower and upper ends are found at once, along a leading axis; `inside` is within the interval.
    inside, outside = np.stack([centre, centre]), np.stack([np.full_like(centre, -1.0), np.ones_like(centre)])
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        accepted = _accepted(middle, only_a, only_b, size, z_squared)
        inside, outside = np.where(accepted, middle, inside), np.where(accepted, outside, middle)
    ends = np.where(n > 0, inside, np.nan)
    # Halving comes as near to the outermost value as floats do, and never asks about it.
    at_end = _accepted(np.array([-1.0, 1.0]).reshape(2, *[1] * n.ndim), only_a, only_b, size, z_squared)
    ends = np.where(at_end & (n > 0), np.array([-1.0, 1.0]).reshape(2, *[1] * n.ndim), ends)
    return ends[0], ends[1]


def _accepted(x: np.ndarray, only_a: np.ndarray, only_b: np.ndarray, n: np.ndarray, z_squared: float) -> np.ndarray:
    """Whether the score test does not reject the difference x."""
    half = (2 * n - only_a + only_b) * x - only_a - only_b
    # q solves 2 n q^2 + half q - only_b x (1 - x) = 0; the larger root, written without cancellation.
    root = np.sqrt(np.maximum(half**2 + 8 * n * only_b * x * (1 - x), 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        q = np.where(half > 0, 2 * only_b * x * (1 - x) / (half + root), (root - half) / (4 * n))
    return (only_a - only_b - n * x) ** 2 <= z_squared * n * (2 * q + x * (1 - x))
