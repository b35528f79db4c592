from __future__ import annotations

import numpy as np
import pytest
from scipy import special
from scipy.stats import studentized_range

from cxrbench.stats.studentized_range import studentized_range_quantile, upper_studentized_range


@pytest.mark.parametrize("k", [2, 3, 7, 40, 500])
def test_agrees_with_scipy(k: int) -> None:
    q = np.linspace(0.5, 5.0, 10)
    np.testing.assert_allclose(upper_studentized_range(q, k)[0], studentized_range.sf(q, k, np.inf), rtol=1e-11)


def test_range_of_two_is_a_normal_variable_however_far_out() -> None:
    q = np.array([1e-8, 0.1, 3.0, 30.0, 80.0, 1000.0])
    p, log10_p = upper_studentized_range(q, 2)
    np.testing.assert_allclose(p, 2 * special.ndtr(-q / np.sqrt(2)), rtol=1e-12)
    expected = (np.log(2) + special.log_ndtr(-q / np.sqrt(2))) / np.log(10)
    np.testing.assert_allclose(log10_p, expected, rtol=1e-13, atol=1e-14)


def test_agrees_with_mpmath_where_scipy_has_lost_all_digits() -> None:
    # mpmath 1.3, trapezoidal sum with 40 digits.
    assert upper_studentized_range(12.0, 10)[0] == pytest.approx(9.683825946252486e-16, rel=1e-13)


def test_quantiles_agree_with_demsar() -> None:
    # Demsar 2006, Table 5(a): critical values of Nemenyi's test, quantiles over sqrt(2).
    printed = {2: (1.960, 1.645), 3: (2.343, 2.052), 5: (2.728, 2.459), 8: (3.031, 2.780), 10: (3.164, 2.920)}
    for k, (five, ten) in printed.items():
        assert studentized_range_quantile(0.05, k) / np.sqrt(2) == pytest.approx(five, abs=1e-3)
        assert studentized_range_quantile(0.10, k) / np.sqrt(2) == pytest.approx(ten, abs=1e-3)


@pytest.mark.parametrize(("level", "k"), [(0.05, 4), (0.999, 2), (1e-10, 1000)])
def test_quantile_undoes_the_tail(level: float, k: int) -> None:
    assert upper_studentized_range(studentized_range_quantile(level, k), k)[0] == pytest.approx(level, rel=1e-10)


def test_no_range_at_all_is_certain() -> None:
    p, log10_p = upper_studentized_range(np.array([0.0, 1e-300]), 5)
    assert p.tolist() == [1, 1]
    assert log10_p.tolist() == [0, 0]


def test_what_has_no_range_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        upper_studentized_range(1.0, 1)
    with pytest.raises(ValueError, match="at least 0"):
        upper_studentized_range(np.array([1.0, np.nan]), 3)
    with pytest.raises(ValueError, match="level"):
        studentized_range_quantile(5, 3)
