from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from cxrbench.stats import clustered_wilcoxon_test, wilcoxon_test

GROUPS = np.repeat(np.arange(8), [1, 2, 3, 4, 1, 2, 6, 1])


def values(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Of which many are tied and some equal."""
    a, b = np.random.default_rng(seed).random((2, len(GROUPS))).round(1)
    return a, b


def sums_of_patients(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    differs = a != b
    ranks = np.zeros(len(a))
    ranks[differs] = stats.rankdata(np.abs(a - b)[differs].round(12))
    return np.bincount(GROUPS, weights=np.sign(a - b) * ranks)


@pytest.mark.parametrize("seed", range(3))
def test_exact_p_is_that_of_all_signs_of_patients(seed: int) -> None:
    a, b = values(seed)
    a, b = np.round(10 * a), np.round(10 * b)
    sums = sums_of_patients(a, b)
    all_sums = np.array(list(product([-1, 1], repeat=8))) @ sums
    found = clustered_wilcoxon_test(a, b, GROUPS)
    assert found.p_value == pytest.approx((np.abs(all_sums) >= abs(sums.sum())).mean(), abs=1e-12)
    assert found.statistic == pytest.approx(sums.sum() / np.sqrt((sums**2).sum()))
    assert found.estimate == pytest.approx((a - b).mean())


def test_many_patients_are_normal() -> None:
    a, b = values()
    found = clustered_wilcoxon_test(a, b, GROUPS, exact=False)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(found.statistic)), rel=1e-12)
    assert found.log10_p == pytest.approx(np.log10(found.p_value))


@pytest.mark.parametrize("exact", [False, True])
def test_one_sample_a_patient_is_wilcoxons_test(exact: bool) -> None:
    a, b = values(4)
    expected = wilcoxon_test(a, b, exact=exact, correction=False)
    assert clustered_wilcoxon_test(a, b, np.arange(len(a)), exact=exact).p_value == pytest.approx(
        expected.p_value, rel=1e-12
    )


def test_leading_axes_are_tests_of_their_own() -> None:
    a, b = (np.stack(each) for each in zip(values(0), values(1), strict=True))
    found = clustered_wilcoxon_test(a, b, GROUPS)
    alone = [clustered_wilcoxon_test(a[i], b[i], GROUPS).p_value for i in range(2)]
    assert found.p_value.tolist() == alone


def test_nothing_to_tell_apart_is_flagged() -> None:
    a, _ = values()
    found = clustered_wilcoxon_test(a, a, GROUPS)
    assert (found.statistic, found.p_value, found.degenerate) == (0.0, 1.0, "all differences are zero")
    cancels = clustered_wilcoxon_test(np.array([1.0, 0, 1, 0]), np.array([0.0, 1, 0, 1]), np.array([0, 0, 1, 1]))
    assert (cancels.p_value, cancels.degenerate) == (1.0, "no cluster differs")


def test_wrong_input_is_refused() -> None:
    a, b = values()
    for groups, n in ((np.zeros(len(a)), len(a)), ([], 0)):
        with pytest.raises(ValueError, match="needs at least two groups"):
            clustered_wilcoxon_test(a[:n], b[:n], np.asarray(groups))
    with pytest.raises(ValueError, match="differ in length"):
        clustered_wilcoxon_test(a, b[1:], GROUPS)
    with pytest.raises(ValueError, match="not finite"):
        clustered_wilcoxon_test(np.append(a[1:], np.inf), b, GROUPS)
