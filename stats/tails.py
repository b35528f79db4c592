"""Tail probabilities, and their logarithms where the probability itself underflows."""

from __future__ import annotations

import numpy as np
from scipy import special

# Below this a float loses digits on its way to zero, and a series takes over.
_TINY = 1e-290
_LN10 = np.log(10.0)
_POINTS = 40


def two_sided_normal(z: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """P(|Z| >= |z|) and its logarithm to base 10, elementwise; infinite z gives 0 and -inf, NaN gives NaN."""
    z = np.abs(np.asarray(z, dtype=np.float64))
    log_p = (special.log_ndtr(-z) + np.log(2.0)) / _LN10
    return 2 * special.ndtr(-z), np.minimum(log_p, 0.0)


def two_sided_t(t: np.ndarray | float, df: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """P(|T| >= |t|) for Student's t with df > 0 degrees of freedom, and its logarithm to base 10."""
    t, df = np.broadcast_arrays(np.abs(np.asarray(t, dtype=np.float64)), np.asarray(df, dtype=np.float64))
    p = np.asarray(2 * special.stdtr(df, -t))
    far = (p < _TINY) & np.isfinite(t)
    with np.errstate(divide="ignore"):
        log_p = np.where(far, 0.0, np.log(p))
    if far.any():
        log_p[far] = _log_far_t(t[far], df[far])
    return p, log_p / _LN10


def upper_chi_squared(x: np.ndarray | float, df: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """P(X >= x) for chi-squared with df > 0 degrees of freedom, and its logarithm to base 10."""
    x, df = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(df, dtype=np.float64))
    p = np.asarray(special.chdtrc(df, x))
    far = (p < _TINY) & np.isfinite(x)
    with np.errstate(divide="ignore"):
        log_p = np.where(far, 0.0, np.log(p))
    if far.any():
        # The upper incomplete gamma function by Tricomi's function; DLMF 8.5.3.
        a, half = df[far] / 2, x[far] / 2
        log_p[far] = a * np.log(half) - half + np.log(special.hyperu(1.0, a + 1, half)) - special.gammaln(a)
    return p, log_p / _LN10


def _log_far_t(t: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Logarithm of P(|T| >= t) [M] far in the tail.

    P is the incomplete beta integral over s^(a - 1) (1 - s)^(-1/2) from 0 to x = df / (df + t^2), with a = df / 2. With
    s = x exp(-u / a) what is left under the integral is smooth, and Gauss-Laguerre points in u find it.
    """
    a, log_ratio = df / 2, 2 * np.log(t) - np.log(df)
    points, weights = np.polynomial.laguerre.laggauss(_POINTS)
    # (1 - s) over (1 - x), from which nothing cancels where x is next to 0 or 1.
    left = 1 - np.exp(-log_ratio)[:, None] * np.expm1(-points / a[:, None])
    log_x, log_rest = -np.logaddexp(0, log_ratio), -np.logaddexp(0, -log_ratio)
    integral = np.log((weights / np.sqrt(left)).sum(axis=1))
    return a * log_x - 0.5 * log_rest - np.log(a) - special.betaln(a, 0.5) + integral
