from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from cxrbench.stats.delong import delong_ci, delong_covariance, delong_test

Rank = Callable[[np.ndarray], np.ndarray]

# R 4.2.2, pROC 1.18.0:
#   ra <- roc(TRUTH, A, direction = "<"); rb <- roc(TRUTH, B, direction = "<")
#   roc.test(ra, rb, method = "delong", paired = TRUE); var(ra, method = "delong"); cov(ra, rb, method = "delong")
#   ci.auc(ra, method = "delong"); ci.auc(rb, method = "delong", conf.level = 0.9), printed with "%.16g"
TRUTH = np.repeat([0, 1], [12, 8])
A = np.array(
    [0.1, 0.3, 0.2, 0.5, 0.4, 0.4, 0.15, 0.6, 0.7, 0.25, 0.35, 0.05, 0.8, 0.55, 0.4, 0.9, 0.65, 0.3, 0.75, 0.5]
)
B = np.array([0.2, 0.1, 0.6, 0.3, 0.5, 0.45, 0.35, 0.2, 0.8, 0.4, 0.1, 0.3, 0.7, 0.3, 0.5, 0.6, 0.2, 0.55, 0.9, 0.4])
IN_R = {"statistic": 0.860252801479542, "p_value": 0.3896497042510255, "auc_a": 0.8333333333333334}
IN_R |= {"auc_b": 0.7135416666666666, "ci_low": -0.1531366538350336, "ci_high": 0.3927199871683672}
COVARIANCE_IN_R = [[0.008398719336219338, 0.001916486291486291], [0.001916486291486291, 0.01482528972763348]]


def kernel(truth: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Every pair of a positive and a negative: 1 won, 0.5 tied, 0 lost."""
    positives, negatives = score[truth == 1][:, None], score[truth == 0][None]
    return (positives > negatives) + 0.5 * (positives == negatives)


def delong_by_all_pairs(truth: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """Variance of the difference after DeLong 1988, equations 4 to 6, in O(N^2)."""
    both = [kernel(truth, score) for score in (a, b)]
    s10 = np.cov([pairs.mean(axis=1) for pairs in both])
    s01 = np.cov([pairs.mean(axis=0) for pairs in both])
    s = s10 / both[0].shape[0] + s01 / both[0].shape[1]
    return float(s[0, 0] + s[1, 1] - 2 * s[0, 1])


def obuchowski_by_all_pairs(truth: np.ndarray, a: np.ndarray, b: np.ndarray, groups: np.ndarray) -> float:
    """Variance of the difference after Obuchowski 1997, section 2, group by group."""
    pairs = kernel(truth, a) - kernel(truth, b)
    m, n = pairs.shape
    theta = pairs.mean()
    of_positives, of_negatives = groups[truth == 1], groups[truth == 0]
    everyone = sorted(set(groups))
    x = np.array([(pairs.mean(axis=1)[of_positives == group] - theta).sum() for group in everyone])
    y = np.array([(pairs.mean(axis=0)[of_negatives == group] - theta).sum() for group in everyone])
    i10, i01, i = len(set(of_positives)), len(set(of_negatives)), len(everyone)
    s10 = i10 / ((i10 - 1) * m) * (x**2).sum()
    s01 = i01 / ((i01 - 1) * n) * (y**2).sum()
    s11 = i / (i - 1) * (x * y).sum()
    return float(s10 / m + s01 / n + 2 * s11 / (m * n))


def sample(seed: int, n: int = 60, decimals: int = 1, share: float = 0.4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < share).astype(int)
    truth[:4] = [0, 1, 0, 1]
    a = rng.standard_normal(n) + truth
    return truth, a.round(decimals), (a + rng.standard_normal(n)).round(decimals)


def test_agrees_with_proc() -> None:
    found = delong_test(TRUTH, A, B)
    for name, value in IN_R.items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-14, abs=1e-15), name
    assert found.estimate == 23 / 192
    assert found.se == pytest.approx((23 / 192) / IN_R["statistic"], rel=1e-14)
    assert (found.n, found.degenerate, found.df) == (20, None, np.inf)
    assert found.log10_p == pytest.approx(np.log10(IN_R["p_value"]), rel=1e-13)
    np.testing.assert_allclose(delong_covariance(TRUTH, np.array([A, B])).covariance, COVARIANCE_IN_R, rtol=1e-14)


def test_interval_agrees_with_proc() -> None:
    one, other = delong_ci(TRUTH, A), delong_ci(TRUTH, B, level=0.9)
    np.testing.assert_allclose([one.ci_low, one.estimate, one.ci_high], [0.6537133609565009, 5 / 6, 1], rtol=1e-14)
    np.testing.assert_allclose([other.ci_low, other.ci_high], [0.5132656931259877, 0.9138176402073455], rtol=1e-14)
    assert np.isnan([one.statistic, one.df, one.p_value]).all()


def test_logit_interval_is_the_normal_one_on_the_scale_of_log_odds() -> None:
    found = delong_ci(TRUTH, A, method="logit")
    # Log odds of 5/6 are log 5; its standard error 0.0916445 / (5/36).
    half = 1.959963984540054 * np.sqrt(COVARIANCE_IN_R[0][0]) / (5 / 36)
    low, high = np.exp(np.log(5) + np.array([-half, half]))
    assert found.ci_low == pytest.approx(low / (1 + low), rel=1e-12)
    assert found.ci_high == pytest.approx(high / (1 + high), rel=1e-12)


@pytest.mark.parametrize("decimals", [0, 1, 12])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_agrees_with_all_pairs_counted_one_by_one(decimals: int, share: float) -> None:
    truth, a, b = sample(decimals, 150, decimals, share)
    found = delong_test(truth, a, b)
    assert found.se == pytest.approx(np.sqrt(delong_by_all_pairs(truth, a, b)), rel=1e-12)
    assert found.auc_a == pytest.approx(roc_auc_score(truth, a), abs=1e-14)
    assert found.auc_b == pytest.approx(roc_auc_score(truth, b), abs=1e-14)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(found.estimate / found.se)), rel=1e-12)


@pytest.mark.parametrize("n_groups", [2, 7, 30, 58])
def test_agrees_with_obuchowski_counted_group_by_group(n_groups: int) -> None:
    truth, a, b = sample(n_groups)
    groups = np.random.default_rng(n_groups).integers(0, n_groups, 60)
    # Groups of positives only, of negatives only and of both.
    groups[truth == 1] = np.where(groups[truth == 1] % 3 == 0, groups[truth == 1], groups[truth == 1] + 100)
    found = delong_test(truth, a, b, groups)
    assert found.se**2 == pytest.approx(obuchowski_by_all_pairs(truth, a, b, groups), rel=1e-11)
    named = delong_test(truth, a, b, np.array([f"patient {group}" for group in groups]))
    assert named.se == pytest.approx(found.se, rel=1e-13)
    objects = delong_test(truth, a, b, np.array([f"p{group}" for group in groups], dtype=object))
    assert objects.se == pytest.approx(found.se, rel=1e-13)


def test_a_group_for_every_sample_is_the_plain_test() -> None:
    truth, a, b = sample(3)
    assert delong_test(truth, a, b, np.arange(60)) == delong_test(truth, a, b)
    assert obuchowski_by_all_pairs(truth, a, b, np.arange(60)) == pytest.approx(delong_by_all_pairs(truth, a, b))


def test_duplicated_samples_with_their_group_give_nearly_the_plain_z() -> None:
    truth, a, b = sample(4, 80)
    plain = delong_test(truth, a, b)
    truth, a, b = (np.tile(array, 2) for array in (truth, a, b))
    doubled = delong_test(truth, a, b, np.tile(np.arange(80), 2))
    # Placement values are the same, groups' sums are doubled and divided by sizes doubled, the numbers of groups
    # with positives and negatives are those of samples before: the same variance, exactly.
    assert doubled.statistic == pytest.approx(plain.statistic, rel=1e-12)
    # Unaware of the groups one would think that there is twice the evidence.
    assert delong_test(truth, a, b).statistic / plain.statistic == pytest.approx(np.sqrt(2), rel=0.02)


def test_covariance_holds_the_variances_of_every_difference() -> None:
    truth, a, b = sample(5)
    scores = np.array([a, b, -a, a + b])
    groups = np.arange(60) // 2
    for given_groups in (None, groups):
        found = delong_covariance(truth, scores, given_groups)
        assert (found.covariance == found.covariance.T).all()
        assert np.linalg.eigvalsh(found.covariance).min() > -1e-16
        for i in range(4):
            for j in range(i):
                contrast = found.covariance[i, i] + found.covariance[j, j] - 2 * found.covariance[i, j]
                assert contrast == pytest.approx(
                    delong_test(truth, scores[i], scores[j], given_groups).se ** 2, rel=1e-9, abs=1e-17
                )


@pytest.mark.parametrize("grouped", [False, True])
def test_batches_are_the_single_tests_side_by_side(grouped: bool) -> None:
    rng = np.random.default_rng(6)
    truth = (rng.random((3, 1, 300)) < 0.3).astype(int)
    a, b = rng.standard_normal((3, 5, 300)), rng.standard_normal((5, 300)).round(1)
    truth[1, 0] = np.arange(300) == 7
    b[2], a[0, 2] = np.arange(300), np.exp(np.arange(300) / 300)
    groups = rng.integers(0, 90, 300) if grouped else None
    found = delong_test(truth, a, b, groups)
    assert found.statistic.shape == found.degenerate.shape == found.auc_b.shape == (3, 5)
    for label in range(3):
        for replicate in range(5):
            alone = delong_test(truth[label, 0], a[label, replicate], b[replicate], groups)
            for name in ("statistic", "p_value", "log10_p", "estimate", "ci_low", "ci_high", "auc_a", "auc_b", "se"):
                np.testing.assert_allclose(
                    getattr(found, name)[label, replicate], getattr(alone, name), rtol=1e-12, err_msg=name
                )
            assert found.degenerate[label, replicate] == alone.degenerate
    assert found.degenerate[0, 2] == "no variance of the difference, equal AUCs"
    covariances = delong_covariance(truth[:, 0], a, groups)
    assert covariances.covariance.shape == (3, 5, 5)
    assert covariances.degenerate[1] is not None
    np.testing.assert_allclose(
        covariances.covariance[2], delong_covariance(truth[2, 0], a[2], groups).covariance, rtol=1e-12
    )
    interval = delong_ci(truth, a, groups=groups)
    assert interval.ci_low.shape == (3, 5)
    assert interval.ci_low[0, 1] == pytest.approx(delong_ci(truth[0, 0], a[0, 1], groups=groups).ci_low, rel=1e-12)


def test_every_pair_of_models_is_one_call() -> None:
    truth, a, b = sample(8, 2000, 12)
    scores = np.array([a, b, a - b])
    found = delong_test(truth, scores[:, None], scores[None])
    assert found.statistic.shape == (3, 3)
    assert found.statistic[1, 2] == pytest.approx(-found.statistic[2, 1], rel=1e-12)
    assert (np.diag(found.statistic) == 0).all()


@pytest.mark.parametrize("groups", [None, np.arange(60) // 3])
@pytest.mark.parametrize("other", [lambda s: s, np.exp, lambda s: 3 * s - 7, lambda s: np.where(s > 1, np.inf, s - 99)])
def test_models_that_rank_alike_are_exactly_equal(groups: np.ndarray | None, other: Rank) -> None:
    truth, a, _ = sample(9)
    a = np.minimum(a, 1.1)
    found = delong_test(truth, a, other(a), groups)
    assert (found.statistic, found.p_value, found.log10_p, found.se, found.estimate) == (0, 1, 0, 0, 0)
    assert (found.ci_low, found.ci_high) == (0, 0)
    assert found.degenerate == "no variance of the difference, equal AUCs"


@pytest.mark.parametrize("groups", [None, np.arange(30) // 2])
def test_a_difference_without_variance_is_infinitely_significant(groups: np.ndarray | None) -> None:
    truth = np.arange(30) % 2
    perfect, useless = truth * 1.0, np.zeros(30)
    better, worse = delong_test(truth, perfect, useless, groups), delong_test(truth, useless, perfect, groups)
    assert (better.statistic, better.p_value, better.log10_p, better.se) == (np.inf, 0, -np.inf, 0)
    assert (worse.statistic, worse.p_value, worse.log10_p, worse.se) == (-np.inf, 0, -np.inf, 0)
    assert better.degenerate == worse.degenerate == "no variance of the difference"
    assert (better.estimate, better.ci_low, better.ci_high) == (0.5, 0.5, 0.5)


def test_no_variance_is_found_where_groups_only_together_have_none() -> None:
    # Every group has the same content, so that none is unlike the others; its samples differ by thirds.
    truth, a = np.tile([1, 1, 1, 0, 0], 7), np.tile([3.0, 1.0, 1.0, 2.0, 0.0], 7)
    found = delong_test(truth, a, np.zeros(35), np.repeat(np.arange(7), 5))
    assert (found.se, found.statistic, found.estimate) == (0, np.inf, 1 / 6)
    assert delong_test(truth, a, np.zeros(35)).se > 0


def test_perfect_separation_has_no_variance_at_all() -> None:
    truth, a, b = sample(10)
    scores = np.array([truth * 1.0, a + 100 * truth, b])
    for groups in (None, np.arange(60) // 4):
        found = delong_covariance(truth, scores, groups)
        assert (found.auc[:2] == 1).all()
        assert (found.covariance[:2] == 0).all()
        assert found.covariance[2, 2] > 0
        for method in ("normal", "logit"):
            interval = delong_ci(truth, scores, groups=groups, method=method)
            assert interval.ci_low[0] == interval.ci_high[1] == 1
            assert list(interval.degenerate) == ["no variance", "no variance", None]
            assert 0 < interval.ci_low[2] < interval.ci_high[2] < 1
    turned = delong_ci(truth, -truth, method="logit")
    assert (turned.estimate, turned.ci_low, turned.ci_high) == (0, 0, 0)


@pytest.mark.parametrize(
    ("truth", "groups", "words"),
    [
        ([1, 0, 0, 0, 0, 0], None, "a single positive"),
        ([1, 1, 1, 1, 1, 0], None, "a single negative"),
        ([1, 0], None, "a single positive"),
        ([1, 1, 0, 0, 0, 0], [4, 4, 4, 5, 6, 7], "positives in a single group"),
        ([1, 1, 1, 1, 0, 0], [1, 2, 3, 4, 4, 4], "negatives in a single group"),
        ([1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1], "positives in a single group"),
    ],
)
def test_a_class_seen_once_gives_areas_and_no_test(truth: list[int], groups: list[int] | None, words: str) -> None:
    a, b = np.arange(len(truth)), -(np.arange(len(truth)) ** 2)
    ids = None if groups is None else np.array(groups)
    found = delong_test(np.array(truth), a, b, ids)
    assert found.auc_a == roc_auc_score(truth, a)
    assert found.estimate == found.auc_a - found.auc_b
    assert found.degenerate == words
    undefined = [found.statistic, found.p_value, found.log10_p, found.se, found.ci_low, found.ci_high]
    assert np.isnan(undefined).all()
    covariance = delong_covariance(np.array(truth), np.array([a, b]), ids)
    assert covariance.degenerate == words
    assert np.isnan(covariance.covariance).all()
    assert covariance.auc[0] == found.auc_a
    for method in ("normal", "logit"):
        interval = delong_ci(np.array(truth), a, groups=ids, method=method)
        assert (interval.estimate, interval.degenerate) == (found.auc_a, words)
        assert type(interval.degenerate) is str
        assert np.isnan([interval.ci_low, interval.ci_high]).all()


@pytest.mark.parametrize("method", ["normal", "logit"])
def test_a_perfect_area_of_a_class_seen_once_has_no_interval(method: str) -> None:
    alone = delong_ci(np.array([0, 0, 0, 1]), np.arange(4), method=method)
    assert (alone.estimate, alone.degenerate) == (1, "a single positive")
    assert np.isnan([alone.ci_low, alone.ci_high]).all()
    fixed = delong_ci(np.array([0, 0, 1, 1]), np.arange(4), method=method)
    assert (fixed.ci_low, fixed.ci_high, fixed.degenerate) == (1, 1, "no variance")
    assert type(fixed.degenerate) is str
    assert delong_ci(TRUTH, A, method=method).degenerate is None
    batch = delong_ci(np.array([[0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 0, 1]]), np.arange(4), method=method)
    assert list(batch.degenerate) == ["a single positive", "no variance", None]
    assert np.isnan(batch.ci_low).tolist() == [True, False, False]


def test_log10_p_stays_finite_where_p_underflows() -> None:
    rng = np.random.default_rng(11)
    truth = rng.random(20000) < 0.5
    found = delong_test(truth, truth + 0.5 * rng.standard_normal(20000), rng.standard_normal(20000))
    assert found.p_value == 0
    assert found.degenerate is None
    # Mills' ratio: log P(|Z| > z) is nearly -z^2 / 2 - log(z sqrt(pi / 2)).
    z = found.statistic
    assert found.log10_p == pytest.approx((-(z**2) / 2 - np.log(z * np.sqrt(np.pi / 2))) / np.log(10), rel=1e-5)


def test_infinite_scores_are_ranked() -> None:
    truth, a, b = sample(12)
    top = np.where(a == a.max(), np.inf, np.where(a == a.min(), -np.inf, a))
    assert delong_test(truth, top, b) == delong_test(truth, a, b)


@pytest.mark.parametrize(
    ("truth", "a", "b", "groups", "words"),
    [
        ([0, 2, 1], [1, 2, 3], [1, 2, 3], None, "0 and 1"),
        ([0, np.nan, 1], [1, 2, 3], [1, 2, 3], None, "0 and 1"),
        ([1, 1, 1], [1, 2, 3], [1, 2, 3], None, "one class"),
        ([0, 0, 0], [1, 2, 3], [1, 2, 3], None, "one class"),
        ([0, 1, 1], [1, np.nan, 3], [1, 2, 3], None, "1 scores are NaN"),
        ([0, 1, 1], [1, 2, 3], [1, np.nan, np.nan], None, "2 scores are NaN"),
        ([0, 1, 1], [1, 2, 3], [1, 2], None, "differ in length"),
        ([0, 1], [1, 2, 3], [1, 2, 3], None, "differ in length"),
        ([], [], [], None, "no samples"),
        ([0, 1, 1], ["a", "b", "c"], [1, 2, 3], None, "real numbers"),
        ([0, 1, 1], [1, 2, 3], [1, 2, 3], [1, 2], r"groups \[2\] must be one for each of the 3"),
        ([0, 1, 1], [1, 2, 3], [1, 2, 3], [1, 2, np.nan], "1 groups are missing"),
        ([0, 1, 1], [1, 2, 3], [1, 2, 3], ["a", None, "b"], "1 groups are missing"),
    ],
)
def test_bad_input_is_an_error_that_says_which(truth: list, a: list, b: list, groups: list | None, words: str) -> None:
    given_groups = None if groups is None else np.array(groups)
    with pytest.raises(ValueError, match=words):
        delong_test(np.array(truth), np.array(a), np.array(b), given_groups)


def test_bad_options_are_errors() -> None:
    with pytest.raises(ValueError, match="level must be between 0 and 1, not 95"):
        delong_test(TRUTH, A, B, level=95)
    with pytest.raises(ValueError, match="method must be 'normal' or 'logit', not 'wald'"):
        delong_ci(TRUTH, A, method="wald")
    with pytest.raises(ValueError, match=r"must be \[..., models, samples\]"):
        delong_covariance(TRUTH, A)
