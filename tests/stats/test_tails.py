from __future__ import annotations

import numpy as np
import pytest

from cxrbench.stats.tails import two_sided_normal, two_sided_t, upper_chi_squared

# Probability (None where it underflows) and its logarithm to base 10, by mpmath 1.3 with 60 digits.
NORMAL = [
    (0.5, 0.61707507745197379, -0.20966199360125957926),
    (1.96, 0.049995790296440868, -1.3010665622238701576),
    (10.0, 1.5239706048321052e-23, -22.817023409822094699),
    (40.0, None, -349.13597646368186089),
    (1000.0, None, -217150.3390119987223),
]
STUDENT = [
    (2.5, 9, 0.03386182768298573921, -1.4702896046673169428),
    (0.3, 1, 0.81445284184451531, -0.089134056990364795961),
    (40.0, 99, 6.3850851602872268e-63, -62.19483330601275389),
    (60.0, 3, 1.0199593673319755e-05, -4.9914171291155341998),
    (3.0, 1_000_000, 0.0026998625414217970587, -2.5686583465897803707),
    (1e5, 200, None, -771.1461191000784537),
    (1e3, 9999, None, -10022.915583894265187),
    (40.0, 1_000_000, None, -348.857977068411),
    (1e200, 9, None, -1796.29312916869),
]
CHI_SQUARED = [
    (3.84, 1, 0.050043521248705099, -1.3006521393247688602),
    (20.0, 5, 0.0012497305630313754, -2.9031836090733615549),
    (2000.0, 1000, 4.1436785914549917e-69, -68.382613938439212239),
    (1500.0, 13, None, -312.36405167128339161),
    (4000.0, 1, None, -870.48816224652821864),
    (1e5, 90, None, -21562.393631979400966),
]


@pytest.mark.parametrize(("z", "p", "log10_p"), NORMAL)
def test_normal_tail_agrees_with_mpmath(z: float, p: float | None, log10_p: float) -> None:
    _agree(two_sided_normal(z), p, log10_p)
    _agree(two_sided_normal(-z), p, log10_p)


@pytest.mark.parametrize(("t", "df", "p", "log10_p"), STUDENT)
def test_student_tail_agrees_with_mpmath(t: float, df: float, p: float | None, log10_p: float) -> None:
    _agree(two_sided_t(t, df), p, log10_p)
    _agree(two_sided_t(-t, df), p, log10_p)


@pytest.mark.parametrize(("x", "df", "p", "log10_p"), CHI_SQUARED)
def test_chi_squared_tail_agrees_with_mpmath(x: float, df: float, p: float | None, log10_p: float) -> None:
    _agree(upper_chi_squared(x, df), p, log10_p)


def test_no_distance_is_a_p_of_one() -> None:
    for p, log10_p in (two_sided_normal(0.0), two_sided_t(0.0, 5), upper_chi_squared(0.0, 3)):
        assert p == 1
        assert log10_p == 0


def test_infinity_is_a_p_of_zero_and_nan_stays() -> None:
    for p, log10_p in (two_sided_normal(-np.inf), two_sided_t(np.inf, 5), upper_chi_squared(np.inf, 3)):
        assert p == 0
        assert log10_p == -np.inf
    for p, log10_p in (two_sided_normal(np.nan), two_sided_t(np.nan, 5), upper_chi_squared(np.nan, 3)):
        assert np.isnan(p)
        assert np.isnan(log10_p)


def test_logarithm_goes_on_smoothly_where_the_probability_ends() -> None:
    # Around p = 1e-290 one formula takes over from the other; there the steps must stay even.
    x = np.arange(1320.0, 1345.0, 0.5)
    steps = np.diff(upper_chi_squared(x, 4)[1])
    assert np.abs(np.diff(steps)).max() < 1e-6
    t = np.linspace(2100.0, 2400.0, 100)
    steps = np.diff(two_sided_t(t, 150)[1])
    assert (steps < 0).all()
    assert np.abs(np.diff(steps)).max() < 2e-3


def test_arrays_broadcast() -> None:
    p, log10_p = upper_chi_squared(np.array([[1.0], [5000.0]]), np.array([1, 2, 3]))
    assert p.shape == log10_p.shape == (2, 3)
    assert log10_p[0, 1] == pytest.approx(np.log10(np.exp(-0.5)))
    assert log10_p[1, 1] == pytest.approx(-2500 / np.log(10))


def _agree(found: tuple[np.ndarray, np.ndarray], p: float | None, log10_p: float) -> None:
    assert found[1] == pytest.approx(log10_p, rel=1e-12)
    # log10(p) is as exact as a float of that size allows; p itself loses the same digits.
    if p is not None:
        assert found[0] == pytest.approx(p, rel=1e-12)
