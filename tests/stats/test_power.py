from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from cxrbench.stats.paired import pool_t_test
from cxrbench.stats.power import PowerResult, power, sample_power

few = settings(max_examples=50, deadline=None)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({"difference": 0.6, "n": 10}, 0.39591833207550453),
        ({"difference": 0.02, "sd": 0.01, "n": 3}, 0.47074943127904512),
        ({"difference": -0.1, "n": 20, "level": 0.01}, 0.016577753430611075),
    ],
)
def test_power_is_that_of_r(asked: dict[str, float], answer: float) -> None:
    # R 4.2.2: power.t.test(n, delta, sd, sig.level, type = "paired", strict = TRUE)
    assert power(**asked).power == pytest.approx(answer, rel=1e-8)


def test_numbers_and_differences_are_those_of_r() -> None:
    found = power(0.5, power=0.8)
    assert found.n == pytest.approx(33.367128953319202, rel=1e-9)
    assert found.whole_n == 34
    assert power(0.02, 0.05, power=0.9, level=0.01).n == pytest.approx(96.336945632977049, rel=1e-9)
    assert power(sd=0.03, n=10, power=0.8).difference == pytest.approx(0.029880041143653197, rel=1e-9)


def test_a_fraction_of_one_pool_has_a_largest_power() -> None:
    # At f = 0.5 the variance never falls below that of one draw: shift 3 at most, power Phi(3 - 1.96) = 0.851.
    assert power(0.03, 0.01, n=1e9, fraction=0.5).power == pytest.approx(0.8508, abs=1e-4)
    reached = power(0.03, 0.01, power=0.8, fraction=0.5)
    assert power(0.03, 0.01, n=reached.n, fraction=0.5).power == pytest.approx(0.8, rel=1e-9)
    out_of_reach = power(0.03, 0.01, power=0.9, fraction=0.5)
    assert out_of_reach.n == out_of_reach.whole_n == math.inf
    assert "no number of draws" in str(out_of_reach.note)


def test_power_of_the_pool_t_is_the_share_of_simulations_that_reject() -> None:
    rng = np.random.default_rng(2)
    pool = rng.standard_normal((4000, 1, 60)) + 0.25
    chosen = rng.random((4000, 8, 60)).argsort(axis=-1) < 12
    differences = (pool * chosen).sum(axis=-1) / 12
    rejected = (pool_t_test(differences, 0.2).p_value < 0.05).mean()
    # Draws of one pool have the variance of a single one less the part they share.
    sd = math.sqrt((1 - 0.2) / 12)
    assert power(0.25, sd, n=8, fraction=0.2).power == pytest.approx(rejected, abs=0.035)


def test_extremes_are_answered() -> None:
    assert power(1e9, n=10).power == 1.0
    assert power(0.0, n=5).power == pytest.approx(0.05, rel=1e-12)
    assert power(1e9, power=0.8).n == 2.0
    # Far beyond R's search: (z_0.975 + z_0.8)^2 / d^2.
    assert power(1e-9, power=0.8).n == pytest.approx(7.848879734349e18, rel=1e-5)


@pytest.mark.parametrize("level", [0.001, 0.01, 0.05, 0.5])
@pytest.mark.parametrize("n", [2, 3, 3.7, 8, 51, 1001])
def test_power_is_that_of_quadrature_however_large_the_difference(n: float, level: float) -> None:
    df = n - 1
    critical = float(stats.t.isf(level / 2, df))
    for shift in (0.0, 0.3, 1.0, 3.0, 4.0, 5.0, 6.0, 10.0, 20.0, 30.0, 37.0, 38.0, 45.0, 60.0):

        def density(scale: float, shift: float = shift) -> float:
            """Of a rejection at this root of chi-squared over its degrees of freedom."""
            away = critical * scale
            either = special.ndtr(shift - away) + special.ndtr(-shift - away)
            return float(either * stats.chi.pdf(scale * math.sqrt(df), df) * math.sqrt(df))

        spread = 14 / math.sqrt(df)
        least, most = max(0.0, 1 - spread), 1 + spread
        steps = (1 / critical, 4 / critical, shift / critical, 1.0)
        inner = {least, most, *(step for step in steps if least < step < most)}
        expected = sum(
            integrate.quad(density, *ends, limit=200, epsabs=1e-13, epsrel=1e-11)[0]
            for ends in itertools.pairwise(sorted(inner))
        )
        assert power(shift / math.sqrt(n), n=n, level=level).power == pytest.approx(expected, rel=1e-8)


def test_differences_beyond_the_reach_of_the_noncentral_t_are_answered() -> None:
    # By integration of the normal distribution function over the chi distribution.
    assert power(10.0, n=2, level=0.01).power == pytest.approx(0.17579, abs=1e-5)
    assert power(30.0, n=2).power == pytest.approx(0.99913, abs=1e-5)
    needed = power(2.0, power=0.75, level=0.001).n
    assert needed == pytest.approx(8.9183, abs=1e-4)
    assert power(2.0, n=needed, level=0.001).power == pytest.approx(0.75, rel=1e-9)
    seen = power(n=3, power=0.6259, level=0.001, fraction=0.1).difference
    assert power(seen, n=3, level=0.001, fraction=0.1).power == pytest.approx(0.6259, rel=1e-9)
    # Of a larger difference the power is never less.
    rising = [power(shift, n=3, level=0.001).power for shift in np.linspace(0, 60, 241)]
    assert (np.diff(rising) >= 0).all()


def test_a_difference_next_to_nothing_needs_no_pool_to_be_out_of_reach() -> None:
    for found in (power(1e-300, power=0.8), sample_power(1e-300, measured_on=10, power=0.8)):
        assert found.n == math.inf
        assert "so small" in str(found.note)
        assert "pool" not in str(found.note)
    assert power(1e-100, power=0.8).n == pytest.approx(7.848879734349e200, rel=1e-5)


def test_sample_power_scales_the_standard_error() -> None:
    # (z_0.975 + z_0.8)^2 = 7.8489 and se 0.01 at 200: a difference of 0.02 needs 200 * 7.8489 / 4.
    found = sample_power(0.02, 0.01, measured_on=200, power=0.8)
    assert found.n == pytest.approx(392.44, abs=0.01)
    assert found.whole_n == 393
    assert found.sd == pytest.approx(0.01 * math.sqrt(200))
    assert sample_power(0.02, 0.01, measured_on=200, n=found.n).power == pytest.approx(0.8, rel=1e-12)
    detectable = sample_power(se=0.01, measured_on=200, n=200, power=0.8)
    assert detectable.difference == pytest.approx(0.028015, abs=1e-6)
    assert sample_power(0.0196, 0.01, measured_on=50, n=50).power == pytest.approx(0.5, abs=1e-3)


@few
@given(st.floats(0.3, 3), st.integers(3, 200), st.sampled_from([0.01, 0.05]), st.sampled_from([None, 0.01, 0.3]))
def test_what_is_solved_for_leads_back(shift: float, n: int, level: float, fraction: float | None) -> None:
    difference = shift / math.sqrt(n)
    found = power(difference, n=n, level=level, fraction=fraction)
    back = power(n=n, power=found.power, level=level, fraction=fraction)
    assert back.difference == pytest.approx(difference, rel=1e-6)
    assert power(difference, power=found.power, level=level, fraction=fraction).n == pytest.approx(n, rel=1e-5)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"difference": 0.1}, "exactly one"),
        ({"difference": 0.1, "n": 3, "power": 0.8}, "exactly one"),
        ({"difference": 0.1, "n": 1}, "at least 2"),
        ({"difference": 0.1, "n": math.nan}, "at least 2"),
        ({"difference": 0.1, "n": 3, "sd": 0.0}, "above 0"),
        ({"difference": 0.1, "n": 3, "level": 1.0}, "level"),
        ({"difference": 0.1, "power": 0.05}, "above the level"),
        ({"difference": 0.1, "power": 1.0}, "below 1"),
        ({"difference": 0.0, "power": 0.8}, "difference of 0"),
        ({"difference": math.inf, "n": 3}, "not a finite"),
        ({"difference": 0.1, "n": 3, "fraction": 10.0}, r"10 % is 0\.1"),
    ],
)
def test_impossible_requests_are_refused(asked: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        power(**asked)


def test_sample_power_refuses_too() -> None:
    with pytest.raises(ValueError, match="measured_on"):
        sample_power(0.1, 0.1, measured_on=0, n=100)
    with pytest.raises(ValueError, match="exactly one"):
        sample_power(0.1, 0.1, measured_on=10)


def test_result_is_frozen() -> None:
    with pytest.raises(AttributeError):
        PowerResult(0.1, 1.0, 3.0, 0.5, 0.05).n = 4  # type: ignore[misc]
