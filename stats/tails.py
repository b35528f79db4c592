"""Tail probabilities, and their logarithms where the probability itself underflows."""

from __future__ import annotations

import numpy as np
from scipy import special

# Below this a float loses digits on its way to zero, and a series takes over.
_TINY = 1e-290
_LN10 = np.log(10.0)


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
        # p is the regularised incomplete beta function at x = df / (df + t^2); DLMF 8.17.8.
        a, x = df[far] / 2, df[far] / (df[far] + t[far] ** 2)
        series = np.log(special.hyp2f1(a + 0.5, 1.0, a + 1.0, x))
        log_x = -np.log1p(t[far] ** 2 / df[far])
        log_p[far] = a * log_x + 0.5 * np.log1p(-x) - np.log(a) - special.betaln(a, 0.5) + series
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
