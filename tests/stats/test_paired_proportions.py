from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from cxrbench.stats.paired_proportions import tango_interval


def test_agrees_with_a_published_interval() -> None:
    # Airway hyper-responsiveness before and after transplantation, Fagerland, Lydersen and Laake 2014:
    # Tango's interval of 1/21 - 7/21 is -0.517 to -0.026.
    low, high = tango_interval(np.array(1), np.array(7), np.array(21))
    assert low == pytest.approx(-0.517, abs=5e-4)
    assert high == pytest.approx(-0.026, abs=5e-4)


@pytest.mark.parametrize(("only_a", "only_b", "n"), [(86, 150, 1600), (12, 2, 50), (1, 7, 21), (9, 9, 30)])
def test_ends_are_where_the_score_of_the_constrained_likelihood_is_1_96(only_a: int, only_b: int, n: int) -> None:
    def score(x: float) -> float:
        def loss(q: float) -> float:
            agree = (n - only_a - only_b) * np.log(1 - 2 * q - x)
            return -(only_a * np.log(q + x) + only_b * np.log(q) + agree)

        bounds = (max(0.0, -x) + 1e-13, (1 - x) / 2 - 1e-13)
        q = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
        return (only_a - only_b - n * x) / np.sqrt(n * (2 * q + x - x * x))

    centre = (only_a - only_b) / n
    low, high = tango_interval(np.array(only_a), np.array(only_b), np.array(n))
    assert low == pytest.approx(brentq(lambda x: score(x) - 1.959963984540054, -0.95, centre), abs=1e-6)
    assert high == pytest.approx(brentq(lambda x: score(x) + 1.959963984540054, centre, 0.95), abs=1e-6)


def test_swapping_the_models_mirrors_the_interval() -> None:
    only_a, only_b, n = np.array([0, 3, 80, 0]), np.array([4, 9, 40, 0]), np.array([9, 30, 1000, 12])
    low, high = tango_interval(only_a, only_b, n, 0.9)
    mirrored_low, mirrored_high = tango_interval(only_b, only_a, n, 0.9)
    np.testing.assert_allclose(low, -mirrored_high, atol=1e-15)
    np.testing.assert_allclose(high, -mirrored_low, atol=1e-15)


def test_no_discordant_pair_has_the_interval_of_a_closed_formula() -> None:
    z_squared = 1.959963984540054**2
    low, high = tango_interval(np.array(0), np.array(0), np.array(50))
    assert high == pytest.approx(z_squared / (50 + z_squared), rel=1e-12)
    assert low == -high


def test_all_pairs_for_one_model_reach_the_end_and_no_pair_is_nan() -> None:
    low, high = tango_interval(np.array([30, 0, 0]), np.array([0, 30, 0]), np.array([30, 30, 0]))
    assert high[0] == 1
    assert low[1] == -1
    assert 0.5 < low[0] < 1
    assert np.isnan(low[2])
    assert np.isnan(high[2])


def test_level_must_be_a_share() -> None:
    with pytest.raises(ValueError, match="level"):
        tango_interval(np.array(1), np.array(1), np.array(2), 95)
