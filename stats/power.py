"""How many replicates or samples would see a given difference."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from .arguments import check_level

# Beyond this many replicates Student's t is the normal distribution to all digits that matter.
_LARGEST_N = 1e7
_TOO_SMALL = "the difference is so small beside the standard deviation that the number is beyond 1e308"
_FARTHEST = 38.0
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(64)


@dataclass(frozen=True)
class PowerResult:
    """Difference, number and power that belong together; the one that was left out is solved for.

    Attributes:
        difference: true mean difference.
        sd: of one replicate's (or one sample's) difference.
        n: replicates or samples, as a real number; infinite where no number is enough.
        power: chance that the two-sided test at `level` rejects.
        level: of the test.
        fraction: share of the pool that a replicate draws; None for independent replicates.
        note: what a reader must know, or None.
    """

    difference: float
    sd: float
    n: float
    power: float
    level: float
    fraction: float | None = None
    note: str | None = None

    @property
    def whole_n(self) -> float:
        """The least whole number that reaches the power; infinite where none does."""
        # A solver's last digits must not ask for one more.
        return self.n if math.isinf(self.n) else math.ceil(self.n - 1e-6)


def power(
    difference: float | None = None,
    sd: float = 1.0,
    *,
    n: float | None = None,
    power: float | None = None,
    level: float = 0.05,
    fraction: float | None = None,
) -> PowerResult:
    """Difference, number of replicates or power of a two-sided paired t-test: leave out the one to solve for.

    By the noncentral t, both tails counted: what R's power.t.test(type="paired", strict=TRUE) says.

    Args:
        difference: true mean difference; its sign does not matter.
        sd: standard deviation of the differences over replicates.
        n: pairs or replicates, at least 2.
        power: chance to reject, above `level` and below 1.
        level: of the test, above 0 and below 1.
        fraction: share of the training pool that each replicate draws, above 0 and below 1. The test is then
            `pool_t_test`, with variance sd^2 (1/n + f/(1 - f)), and `sd` is that over draws of one pool. More draws of
            one pool add ever less: where none is enough, n is infinite and a note says so.

    A difference that two replicates see already gives n = 2. Raises ValueError unless exactly one of difference, n
    and power is left out, and for values out of range.
    """
    _check(difference, n, power, level, sd, least_n=2)
    if fraction is not None and not 0 < fraction < 1:
        raise ValueError(f"fraction {fraction} must be a share of the pool, above 0 and below 1 (10 % is 0.1)")
    shared = 0.0 if fraction is None else fraction / (1 - fraction)
    if power is None:
        assert difference is not None
        assert n is not None
        return PowerResult(
            difference, sd, n, _t_power(_shift(difference, sd, n, shared), n - 1, level), level, fraction
        )
    if difference is None:
        assert n is not None
        shift = _root(lambda shift: _t_power(shift, n - 1, level) - power, 0.0, _normal_shift(power, level))
        return PowerResult(shift * sd * math.sqrt(1 / n + shared), sd, n, power, level, fraction)
    found, note = _replicates(difference, sd, power, level, shared), None
    if math.isinf(found):
        note = _TOO_SMALL
        if fraction is not None:
            note = f"no number of draws of one pool reaches a power of {power:g}: draw less, or have a larger pool"
    return PowerResult(difference, sd, found, power, level, fraction, note)


def sample_power(
    difference: float | None = None,
    se: float = 1.0,
    *,
    measured_on: float,
    n: float | None = None,
    power: float | None = None,
    level: float = 0.05,
) -> PowerResult:
    """The same for test samples: a difference whose standard error is known at one size of the test set.

    For a DeLong test and others of a normal statistic: the standard error falls with the square root of n, at the
    same share of positives.

    Args:
        difference: true difference.
        se: standard error of the difference, measured.
        measured_on: test samples behind `se` (patients, where it is clustered by patients).
        n: test samples (patients) planned.
        power: chance to reject, above `level` and below 1.
        level: of the test.

    In the result `sd` is se * sqrt(measured_on). Raises ValueError as `power` does.
    """
    _check(difference, n, power, level, se, least_n=1)
    if not 1 <= measured_on < math.inf:
        raise ValueError(f"measured_on {measured_on} must be a number of samples")
    sd = se * math.sqrt(measured_on)
    if power is None:
        assert difference is not None
        assert n is not None
        return PowerResult(difference, sd, n, _normal_power(_shift(difference, sd, n, 0.0), level), level)
    shift = _normal_shift(power, level)
    if difference is None:
        assert n is not None
        return PowerResult(shift * sd / math.sqrt(n), sd, n, power, level)
    found = max(_squared(shift * sd / difference), 1.0)
    return PowerResult(difference, sd, found, power, level, note=_TOO_SMALL if math.isinf(found) else None)


def _check(
    difference: float | None, n: float | None, power: float | None, level: float, sd: float, least_n: int
) -> None:
    if (difference, n, power).count(None) != 1:
        raise ValueError("leave out exactly one of difference, n and power: it is solved for")
    check_level(level)
    if not 0 < sd < math.inf:
        raise ValueError(f"a standard deviation or error of {sd} must be above 0")
    if n is not None and not least_n <= n < math.inf:
        raise ValueError(f"n {n} must be at least {least_n}")
    if power is not None and not level < power < 1:
        raise ValueError(
            f"power {power:g} must be above the level {level:g}, which no difference at all has, and below 1"
        )
    if difference is not None and not math.isfinite(difference):
        raise ValueError(f"difference {difference} is not a finite number")
    if difference == 0 and power is not None:
        raise ValueError("a difference of 0 is seen by no number of samples")


def _shift(difference: float, sd: float, n: float, shared: float) -> float:
    """Mean of the statistic under the difference: the noncentrality."""
    return abs(difference) / (sd * math.sqrt(1 / n + shared))


def _replicates(difference: float, sd: float, power: float, level: float, shared: float) -> float:
    if _t_power(_shift(difference, sd, 2, shared), 1, level) >= power:
        return 2.0
    if _t_power(_shift(difference, sd, _LARGEST_N, shared), _LARGEST_N - 1, level) < power:
        independent = _squared(sd * _normal_shift(power, level) / difference)
        return independent / (1 - shared * independent) if shared * independent < 1 else math.inf
    return math.exp(
        _root(
            lambda log_n: _t_power(_shift(difference, sd, math.exp(log_n), shared), math.expm1(log_n), level) - power,
            math.log(2),
            math.log(_LARGEST_N),
        )
    )


def _t_power(shift: float, df: float, level: float) -> float:
    """P(|T| > critical) for the noncentral t."""
    # The beta quantile behind Student's t, from both sides: no digit is lost for a small level or many replicates.
    below, above = special.betaincinv(df / 2, 0.5, level), special.betainccinv(0.5, df / 2, level)
    critical = math.sqrt(df * above / max(below, sys.float_info.min))
    if shift > 1e3 * max(critical, 1.0):
        return 1.0
    inside = special.nctdtr(df, shift, critical) - special.nctdtr(df, shift, -critical)
    # It has no answer for many shifts above about 4.
    found = _t_power_by_quadrature(shift, df, critical) if math.isnan(inside) else 1 - inside
    return float(min(max(found, 0.0), 1.0))


def _t_power_by_quadrature(shift: float, df: float, critical: float) -> float:
    """The same where T = (Z + shift) / sqrt(V / df): the chance that V is small enough, integrated over the normal Z.

    To nine digits for shifts above 2; below, where Z + shift changes sign among likely Z, to seven.
    """
    # Beyond the last edge the normal density underflows; around the steps V has to be about its mean.
    width = 8 * critical / math.sqrt(2 * df)
    steps = [sign * critical - shift + side * width for sign in (-1, 1) for side in (-1, 0, 1)]
    edges = np.unique(np.clip([-_FARTHEST, -10.0, 0.0, 10.0, _FARTHEST, -shift, *steps], -_FARTHEST, _FARTHEST))
    half = np.diff(edges)[:, None] / 2
    z = edges[:-1, None] + half * (_POINTS + 1)
    density = half * _WEIGHTS * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    half_v = df / 2 * ((z + shift) / critical) ** 2
    rejected = float((density * special.gammainc(df / 2, half_v)).sum())
    # Of the two chances the smaller has all its digits.
    return rejected if rejected < 0.5 else 1 - float((density * special.gammaincc(df / 2, half_v)).sum())


def _squared(number: float) -> float:
    """Infinite where `**` would stop."""
    return number * number


def _normal_power(shift: float, level: float) -> float:
    critical = special.ndtri(1 - level / 2)
    return float(special.ndtr(shift - critical) + special.ndtr(-shift - critical))


def _normal_shift(power: float, level: float) -> float:
    return _root(lambda shift: _normal_power(shift, level) - power, 0.0, 1.0)


def _root(of: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function, below 0 at `low`, is 0; `high` is moved up until it is above."""
    from scipy.optimize import root_scalar

    while of(high) < 0:
        high *= 2
    return root_scalar(of, bracket=(low, high), method="brentq", xtol=sys.float_info.min, maxiter=1000).root
