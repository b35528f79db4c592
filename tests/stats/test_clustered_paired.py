from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from cxrbench.stats import clustered_paired_t_test, paired_t_test

GROUPS = np.repeat(np.arange(8), [1, 2, 3, 4, 1, 2, 6, 1])


def values(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.random(len(GROUPS)), rng.random(len(GROUPS)) + 0.2 * rng.standard_normal(8)[GROUPS]


@pytest.mark.parametrize("seed", range(3))
def test_statistic_and_interval_are_those_of_a_cluster_robust_regression(seed: int) -> None:
    a, b = values(seed)
    expected = sm.OLS(a - b, np.ones(len(a))).fit(cov_type="cluster", cov_kwds={"groups": GROUPS}, use_t=True)
    found = clustered_paired_t_test(a, b, GROUPS)
    assert found.statistic == pytest.approx(expected.tvalues[0], rel=1e-12)
    assert found.p_value == pytest.approx(expected.pvalues[0], rel=1e-10)
    assert (found.ci_low, found.ci_high) == pytest.approx(tuple(expected.conf_int()[0]), rel=1e-10)
    assert found.estimate == pytest.approx((a - b).mean())
    assert (found.n, found.df) == (len(a), 7)


def test_one_sample_a_patient_is_the_paired_t() -> None:
    a, b = values()
    names = np.array([f"p{n:02}" for n in range(len(a))])
    assert clustered_paired_t_test(a, b, names) == paired_t_test(a, b)


def test_images_that_repeat_a_patient_are_no_news() -> None:
    a, b = values()
    once = paired_t_test(a, b)
    groups = np.tile(np.arange(len(a)), 3)
    tripled = clustered_paired_t_test(np.tile(a, 3), np.tile(b, 3), groups)
    assert tripled.p_value == pytest.approx(once.p_value, rel=1e-10)
    assert paired_t_test(np.tile(a, 3), np.tile(b, 3)).p_value < once.p_value


def test_leading_axes_are_tests_of_their_own() -> None:
    a, b = (np.stack(each) for each in zip(values(0), values(1), strict=True))
    found = clustered_paired_t_test(a, b, GROUPS)
    alone = [clustered_paired_t_test(a[i], b[i], GROUPS) for i in range(2)]
    assert found.p_value == pytest.approx([each.p_value for each in alone], rel=1e-12)
    assert found.n.tolist() == [20, 20]


def test_no_difference_is_flagged_and_an_equal_one_too() -> None:
    a, _ = values()
    none = clustered_paired_t_test(a, a, GROUPS)
    assert (none.statistic, none.p_value, none.degenerate) == (0.0, 1.0, "all differences are zero")
    equal = clustered_paired_t_test(a, a - 0.1, GROUPS)
    assert (equal.statistic, equal.p_value, equal.degenerate) == (np.inf, 0.0, "all differences are equal")


def test_wrong_input_is_refused() -> None:
    a, b = values()
    with pytest.raises(ValueError, match="1 group: a clustered t-test needs at least two"):
        clustered_paired_t_test(a, b, np.zeros(len(a)))
    with pytest.raises(ValueError, match="differ in length"):
        clustered_paired_t_test(a, b[1:], GROUPS)
    with pytest.raises(ValueError, match="b holds 1 values that are not finite"):
        clustered_paired_t_test(a, np.append(b[1:], np.nan), GROUPS)
    with pytest.raises(ValueError, match="must be one for each of the 20 samples"):
        clustered_paired_t_test(a, b, GROUPS[1:])
