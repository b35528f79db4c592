"""The range of K independent standard normal variables: the studentised range with infinite df."""

from __future__ import annotations

import numpy as np
from scipy import optimize, special

from .arguments import check_level

# Nodes either side of q / 2, where the integrand of the upper tail has its bulk. The trapezoidal rule
# converges geometrically there, and at this spacing is exact to about 1e-13 from K = 2 to 1000.
_STEP = 0.125
_NODES = np.arange(-13.0, 13.0, _STEP)


def upper_studentized_range(q: np.ndarray | float, k: int) -> tuple[np.ndarray, np.ndarray]:
    """P(largest - smallest >= q) of k standard normal variables, and its logarithm to base 10, elementwise.

    Computed from the tail itself, so that small probabilities keep their digits and their logarithm stays finite.
    R: ptukey(q, k, Inf, lower.tail = FALSE). ValueError for k < 2 and for q below 0 or NaN.
    """
    q = np.asarray(q, dtype=np.float64)
    if k < 2 or not (q >= 0).all():
        raise ValueError(f"the range needs at least 2 variables and values of at least 0, not {k} and {q}")
    # The tail is k E[F(Z)^(k-1) - (F(Z) - F(Z - q))^(k-1)], F the normal distribution and Z the largest variable.
    z = q[..., None] / 2 + _NODES
    log_below = special.log_ndtr(z)
    log_ratio = special.log_ndtr(z - q[..., None]) - log_below
    ratio = np.exp(np.minimum(log_ratio, 0.0))
    with np.errstate(divide="ignore"):
        log_lost = np.log(-np.expm1((k - 1) * np.log1p(-ratio)))
    # Where the ratio is below the spacing of floats, 1 - (1 - ratio)^(k-1) is its first term.
    log_lost = np.where(ratio < 1e-20, np.log(k - 1) + log_ratio, log_lost)
    log_density = (k - 1) * log_below - z**2 / 2 - np.log(2 * np.pi) / 2
    log_p = np.minimum(np.log(k * _STEP) + special.logsumexp(log_density + log_lost, axis=-1), 0.0)
    log_p = np.where(q == 0, 0.0, log_p)
    return np.exp(log_p), log_p / np.log(10.0)


def studentized_range_quantile(level: float, k: int) -> float:
    """The value that the range of k standard normal variables exceeds with probability `level`, 0 to 1 exclusive."""
    check_level(level)

    def excess(q: float) -> float:
        return float(upper_studentized_range(q, k)[1]) - float(np.log10(level))

    root = optimize.brentq(excess, 0.0, 60.0, xtol=1e-13)
    assert isinstance(root, float)
    return root
