from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cxrbench.stats.delong import delong_covariance, delong_test
from cxrbench.stats.macro_auc import macro_auc_test

Labels = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def labels(seed: int, n_labels: int = 3, n: int = 300, per_patient: int = 3) -> Labels:
    """Truth, scores of two models and patients; labels, models and images of a patient go together."""
    rng = np.random.default_rng(seed)
    patients = np.arange(n) // per_patient
    of_patient = rng.standard_normal((n_labels, n))[:, patients]
    common = rng.standard_normal(n)
    truth = of_patient + common + rng.standard_normal((n_labels, n)) > 1
    a, b = (truth + of_patient / 2 + common + rng.standard_normal((n_labels, n)) for _ in range(2))
    return truth.astype(float), a, b.round(1), patients


def assert_same(found: Any, expected: Any) -> None:
    for name in ("statistic", "p_value", "log10_p", "estimate", "ci_low", "ci_high", "auc_a", "auc_b", "se"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-12, err_msg=name)
    assert (found.n, found.df) == (expected.n, expected.df)


@pytest.mark.parametrize("grouped", [False, True])
def test_one_label_is_delongs_or_obuchowskis_test(grouped: bool) -> None:
    truth, a, b, patients = labels(0)
    groups = patients if grouped else None
    for label in range(3):
        found = macro_auc_test(truth[label, None], a[label, None], b[label, None], groups)
        assert_same(found, delong_test(truth[label], a[label], b[label], groups))
        assert found.degenerate is None


def test_means_are_those_of_scikit_learn() -> None:
    truth, a, b, _ = labels(1)
    found = macro_auc_test(truth, a, b)
    area_a, area_b = (roc_auc_score(truth.T, score.T, average="macro") for score in (a, b))
    assert found.auc_a == pytest.approx(area_a, abs=1e-14)
    assert found.auc_b == pytest.approx(area_b, abs=1e-14)
    assert found.estimate == pytest.approx(area_a - area_b, abs=1e-14)


def test_variance_is_counted_sample_by_sample() -> None:
    truth, a, b, _ = labels(2, n=60)
    error = np.zeros(60)
    for y, score_a, score_b in zip(truth == 1, a, b, strict=True):
        wins = [
            (score[y][:, None] > score[~y]) + 0.5 * (score[y][:, None] == score[~y]) for score in (score_a, score_b)
        ]
        difference = wins[0] - wins[1]
        m, n = difference.shape
        error[y] += (difference.mean(axis=1) - difference.mean()) / m * np.sqrt(m / (m - 1))
        error[~y] += (difference.mean(axis=0) - difference.mean()) / n * np.sqrt(n / (n - 1))
    assert macro_auc_test(truth, a, b).se == pytest.approx(np.sqrt(((error / 3) ** 2).sum()), rel=1e-12)


def test_equal_labels_are_one_label() -> None:
    truth, a, b, patients = labels(3)
    for groups in (None, patients):
        one = delong_test(truth[0], a[0], b[0], groups)
        five = [np.repeat(array[:1], 5, axis=0) for array in (truth, a, b)]
        assert_same(macro_auc_test(five[0], five[1], five[2], groups), one)


@pytest.mark.parametrize("grouped", [False, True])
def test_variance_is_nearly_that_of_leaving_out_one_patient_after_the_other(grouped: bool) -> None:
    truth, a, b, patients = labels(4)
    groups = patients if grouped else np.arange(300)
    found = macro_auc_test(truth, a, b, groups)
    left = []
    for group in np.unique(groups):
        kept = groups != group
        left.append(macro_auc_test(truth[:, kept], a[:, kept], b[:, kept]).estimate)
    jackknife = (len(left) - 1) * np.var(left)
    assert found.se**2 == pytest.approx(jackknife, rel=0.03)


def test_unknown_samples_are_left_out_of_their_label_only() -> None:
    truth, a, b, patients = labels(6)
    truth[0, :50], truth[2, 200:] = np.nan, np.nan
    for groups in (None, patients):
        found = macro_auc_test(truth, a, b, groups)
        known = [slice(50, None), slice(None), slice(200)]
        singles = [
            delong_test(truth[i, s], a[i, s], b[i, s], None if groups is None else groups[s])
            for i, s in enumerate(known)
        ]
        assert found.estimate == pytest.approx(np.mean([single.estimate for single in singles]), abs=1e-15)
        alone = macro_auc_test(truth[:1], a[:1], b[:1], groups)
        for name in ("statistic", "se", "p_value", "auc_a"):
            assert getattr(alone, name) == pytest.approx(getattr(singles[0], name), rel=1e-12)


def test_labels_on_disjoint_samples_are_independent() -> None:
    truth, a, b, _ = labels(7, 2)
    truth[0, :150], truth[1, 150:] = np.nan, np.nan
    single = [macro_auc_test(truth[i : i + 1], a[i : i + 1], b[i : i + 1]).se for i in range(2)]
    assert macro_auc_test(truth, a, b).se == pytest.approx(np.hypot(*single) / 2, rel=1e-12)


def test_replicates_are_averaged() -> None:
    truth, a, _, patients = labels(8)
    rng = np.random.default_rng(8)
    many_a, many_b = a + 0.5 * rng.standard_normal((2, 4, 3, 300))
    for groups in (None, patients):
        found = macro_auc_test(truth, many_a, many_b, groups)
        singles = [macro_auc_test(truth, one, other, groups) for one, other in zip(many_a, many_b, strict=True)]
        for name in ("estimate", "auc_a", "auc_b"):
            assert getattr(found, name) == pytest.approx(np.mean([getattr(one, name) for one in singles]), abs=1e-14)
        # One label: the mean of differences is a contrast of the 8 models' AUCs.
        one = macro_auc_test(truth[:1], many_a[:, :1], many_b[:, :1], groups)
        models = np.concatenate([many_a[:, 0], many_b[:, 0]])
        contrast = np.repeat([1 / 4, -1 / 4], 4)
        covariance = delong_covariance(truth[0], models, groups).covariance
        assert one.se**2 == pytest.approx(contrast @ covariance @ contrast, rel=1e-10)
    assert_same(macro_auc_test(truth, many_a[:1], many_b[:1]), macro_auc_test(truth, many_a[0], many_b[0]))
    mixed = macro_auc_test(truth, many_a, many_b[0])
    assert mixed.auc_b == macro_auc_test(truth, many_a[0], many_b[0]).auc_b


def test_swapping_the_models_turns_the_sign() -> None:
    truth, a, b, patients = labels(9)
    one, other = macro_auc_test(truth, a, b, patients), macro_auc_test(truth, b, a, patients)
    assert (one.statistic, one.p_value, one.ci_low) == (-other.statistic, other.p_value, -other.ci_high)


def test_models_that_rank_alike_are_exactly_equal() -> None:
    truth, a, _, patients = labels(10)
    for groups in (None, patients):
        found = macro_auc_test(truth, a, np.exp(a), groups)
        assert (found.statistic, found.p_value, found.log10_p, found.se, found.estimate) == (0, 1, 0, 0, 0)
        assert found.degenerate == "no variance of the difference, equal AUCs"


def test_a_difference_without_variance_is_infinitely_significant() -> None:
    truth, _, _, patients = labels(11)
    for groups in (None, patients):
        found = macro_auc_test(truth, truth, np.zeros((3, 300)), groups)
        assert (found.statistic, found.p_value, found.log10_p, found.estimate) == (np.inf, 0, -np.inf, 0.5)
        assert found.degenerate == "no variance of the difference"


def test_labels_seen_once_give_areas_and_no_test_and_are_named() -> None:
    truth, a, b, patients = labels(12)
    truth[1] = np.arange(300) < 1
    truth[2] = np.arange(300) > 2
    found = macro_auc_test(truth, a, b)
    assert found.degenerate == "label 1 has a single positive"
    assert np.isnan([found.statistic, found.p_value, found.se, found.ci_low]).all()
    assert found.auc_a == pytest.approx(np.mean([roc_auc_score(*pair) for pair in zip(truth, a, strict=True)]))
    grouped = macro_auc_test(truth, a, b, patients)
    assert grouped.degenerate == "label 1 has positives in a single group; label 2 has negatives in a single group"


def test_labels_of_one_class_are_an_error_that_names_them() -> None:
    truth, a, b, _ = labels(13, 4)
    truth[1] = 0
    truth[3] = np.where(truth[3] == 1, 1, np.nan)
    with pytest.raises(ValueError, match="of label 1, 3: leave it out"):
        macro_auc_test(truth, a, b)
    truth[0] = np.nan
    with pytest.raises(ValueError, match="of label 0, 1, 3"):
        macro_auc_test(truth, a, b)


def test_bad_input_is_an_error_that_says_which() -> None:
    truth, a, b, patients = labels(14)
    broken = a.copy()
    broken[0, 0] = np.nan
    cases: list[tuple[tuple[Any, ...], str]] = [
        ((truth[0], a[0], b[0]), r"must be \[labels, samples\]"),
        ((truth[:, :0], a[:, :0], b[:, :0]), "no samples or no labels"),
        ((truth * 2, a, b), "0 and 1"),
        ((truth.astype(str), a, b), "0 and 1"),
        ((truth, broken, b), "1 scores are NaN"),
        ((truth, a, b[:2]), "must be as the labels"),
        ((truth, a, b[:, :9]), "differ in length"),
        ((truth, a[None][:0], b[None][:0]), "no replicates"),
        ((truth, a, b, patients[:9]), "must be one for each"),
        ((truth, a, b, patients, 0), "level must be between 0 and 1"),
    ]
    for given, words in cases:
        with pytest.raises(ValueError, match=words):
            macro_auc_test(*given)
