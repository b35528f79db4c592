from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cxrbench.stats.confusion import confusion_between
from cxrbench.stats.mcnemar import clustered_mcnemar_test, mcnemar_test

# Agresti's approval ratings, as in R's help of mcnemar.test.
APPROVAL = np.array([[794, 150], [86, 570]])


def test_chi_squared_agrees_with_r() -> None:
    # R 4.2.2: mcnemar.test(m, correct = FALSE), and with correct = TRUE.
    plain, corrected = mcnemar_test(APPROVAL), mcnemar_test(APPROVAL, correction=True)
    assert plain.statistic == pytest.approx(17.35593220338983, rel=1e-14)
    assert plain.p_value == pytest.approx(3.0992934410452182e-05, rel=1e-12)
    assert corrected.statistic == pytest.approx(16.817796610169491, rel=1e-14)
    assert corrected.p_value == pytest.approx(4.1145622813459436e-05, rel=1e-12)
    assert (plain.df, plain.n, plain.only_a, plain.only_b, plain.exact) == (1, 1600, 150, 86, False)
    assert plain.estimate == 64 / 1600
    assert plain.degenerate is None


def test_correction_leaves_equal_counts_at_nothing() -> None:
    # R: mcnemar.test(matrix(c(10, 14, 14, 3), 2)) is 0, p 1.
    found = mcnemar_test(np.array([[10, 14], [14, 3]]), correction=True)
    assert (found.statistic, found.p_value, found.degenerate) == (0, 1, None)


@pytest.mark.parametrize(
    ("only_a", "only_b", "p"),
    # R: binom.test(3, 12), binom.test(86, 236), binom.test(5, 10); by hand 2 / 2 ** 6 and 1.
    [(3, 9, 0.14599609375), (150, 86, 3.71593613957143e-05), (5, 5, 1.0), (6, 0, 2 / 64), (0, 1, 1.0)],
)
def test_exact_p_agrees_with_r(only_a: int, only_b: int, p: float) -> None:
    found = mcnemar_test(np.array([[40, only_a], [only_b, 7]]), exact=True)
    # R's binom.test gives 3.715936139571430e-05, statsmodels 3.7159361395713866e-05, for 86 of 236.
    assert found.p_value == pytest.approx(p, rel=1e-12)
    assert found.log10_p == pytest.approx(np.log10(p), rel=1e-12)
    assert found.exact
    assert np.isnan(found.df)
    assert found.statistic == (only_a - only_b) ** 2 / (only_a + only_b)


def test_exact_is_taken_below_25_discordant_pairs_unless_told() -> None:
    tables = np.array([[[50, 12], [12, 50]], [[50, 20], [4, 50]], [[50, 20], [5, 50]]])
    assert mcnemar_test(tables).exact.tolist() == [True, True, False]
    assert mcnemar_test(tables, exact=False).exact.tolist() == [False, False, False]
    assert mcnemar_test(tables, exact=True).exact.tolist() == [True, True, True]


@pytest.mark.parametrize(
    ("only_a", "only_b", "log10_p"),
    # mpmath 1.3, 60 digits, the sum of the binomial terms.
    [
        (500_000, 300_000, -10975.722148765952163),
        (20, 1500, -412.06251509984134483),
        (2000, 0, -601.75896133229840923),
        (900, 100, -160.87278386863496386),
    ],
)
def test_logarithm_of_the_exact_p_agrees_with_mpmath(only_a: int, only_b: int, log10_p: float) -> None:
    found = mcnemar_test(np.array([[1, only_a], [only_b, 1]]), exact=True)
    assert found.log10_p == pytest.approx(log10_p, rel=1e-11)
    assert found.p_value == pytest.approx(10**log10_p, rel=1e-9, abs=0)


def test_chi_squared_stays_finite_where_p_underflows() -> None:
    found = mcnemar_test(np.array([[0, 4000], [0, 0]]))
    assert found.p_value == 0
    assert found.log10_p == pytest.approx(-870.48816224652821864, rel=1e-13)


def test_interval_leaves_out_nothing_exactly_where_the_uncorrected_test_rejects() -> None:
    only_a = np.arange(200)
    tables = np.zeros((200, 2, 2), dtype=int)
    tables[:, 0, 1], tables[:, 1, 0], tables[:, 0, 0] = only_a, 100, 300
    found = mcnemar_test(tables, exact=False)
    assert ((found.ci_low > 0) | (found.ci_high < 0)).tolist() == (found.p_value < 0.05).tolist()
    assert ((found.ci_low <= found.estimate) & (found.estimate <= found.ci_high)).all()


@pytest.mark.parametrize("exact", [None, True, False])
def test_no_discordant_pair_is_flagged(exact: bool | None) -> None:
    found = mcnemar_test(np.array([[40, 0], [0, 10]]), exact=exact)
    assert (found.statistic, found.p_value, found.log10_p, found.estimate) == (0, 1, 0, 0)
    assert found.degenerate == "no discordant pair"
    assert -0.08 < found.ci_low < 0 < found.ci_high < 0.08
    empty = mcnemar_test(np.zeros((2, 2)), exact=exact)
    assert (empty.statistic, empty.p_value, empty.degenerate) == (0, 1, "no counts")
    assert np.isnan([empty.estimate, empty.ci_low, empty.ci_high]).all()


def test_leading_axes_are_tables_of_their_own() -> None:
    found = mcnemar_test(np.stack([[APPROVAL, APPROVAL.T], [np.eye(2, dtype=int), np.zeros((2, 2), dtype=int)]]))
    assert found.p_value.shape == found.ci_low.shape == found.exact.shape == (2, 2)
    assert found.p_value[0, 0] == found.p_value[0, 1] == mcnemar_test(APPROVAL).p_value
    assert found.estimate[0, 0] == -found.estimate[0, 1] == 0.04
    assert found.degenerate.tolist() == [[None, None], ["no discordant pair", "no counts"]]


@pytest.mark.parametrize(
    ("table", "words"),
    [(np.zeros((3, 3)), "2 x 2"), ([1, 2], "square"), ([[1, -1], [0, 1]], "negative"), ([[1, np.nan], [0, 1]], "NaN")],
)
def test_what_is_no_table_is_an_error(table: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        mcnemar_test(np.asarray(table))


def test_clustered_statistic_by_hand() -> None:
    # Differences of the patients p, q, r, s: 1 - 0, 1 + 1, -1, 1 - 1: (1 + 2 - 1)^2 / (1 + 4 + 1).
    patient = np.array(["p", "q", "r", "s", "q", "s", "p"])
    correct_a = np.array([1, 1, 0, 1, 1, 0, 1])
    correct_b = np.array([0, 0, 1, 0, 0, 1, 1])
    found = clustered_mcnemar_test(correct_a, correct_b, patient, exact=False)
    assert found.statistic == 4 / 6
    assert found.p_value == pytest.approx(0.41421617824252516, rel=1e-13)  # R: pchisq(4/6, 1, lower.tail = FALSE)
    assert found.estimate == 2 / 7
    assert (found.n, found.n_clusters, found.only_a, found.only_b, found.df) == (7, 4, 4, 2, 1)
    # 6 of the 8 signs of 1, 2 and 1 leave a sum of at least 2.
    exact = clustered_mcnemar_test(correct_a, correct_b, patient)
    assert (exact.statistic, exact.p_value, exact.log10_p) == (4 / 6, 6 / 8, np.log10(6 / 8))
    assert exact.exact
    assert np.isnan(exact.df)


@pytest.mark.parametrize(("only_a", "only_b", "p"), [(4, 0, 0.125), (7, 1, 0.0703125), (12, 5, 0.1434631347656250)])
def test_few_clusters_that_differ_by_one_give_the_exact_mcnemar(only_a: int, only_b: int, p: float) -> None:
    # R: binom.test(4, 4), binom.test(7, 8), binom.test(12, 17).
    differ = np.repeat([1, 0], [only_a, only_b])
    a, b = np.append(differ, np.ones(80)), np.append(1 - differ, np.ones(80))
    groups = np.append(np.arange(len(differ)), np.repeat(np.arange(40) + 100, 2))
    found = clustered_mcnemar_test(a, b, groups)
    plain = mcnemar_test(confusion_between(a, b, [1.0, 0.0]))
    assert found.p_value == pytest.approx(p, rel=1e-12)
    assert found.p_value == pytest.approx(plain.p_value, rel=1e-12)
    assert found.log10_p == pytest.approx(plain.log10_p, rel=1e-12)
    assert (found.exact, found.statistic) == (plain.exact, plain.statistic)


def test_clustered_exact_is_taken_below_25_clusters_that_differ_unless_told() -> None:
    b = np.zeros((2, 60), dtype=int)
    a = np.stack([np.arange(60) < 48, np.arange(60) < 50])
    groups = np.arange(60) // 2
    found = clustered_mcnemar_test(a, b, groups)
    assert found.exact.tolist() == [True, False]
    assert found.p_value[0] == 2.0**-23
    assert np.isnan(found.df).tolist() == [True, False]
    assert clustered_mcnemar_test(a, b, groups, exact=True).p_value.tolist() == [2.0**-23, 2.0**-24]
    asymptotic = clustered_mcnemar_test(a, b, groups, exact=False)
    assert asymptotic.df.tolist() == [1, 1]
    assert asymptotic.p_value[1] == found.p_value[1]
    # The interval is that of the chi-squared test whatever p is.
    assert asymptotic.ci_low.tolist() == found.ci_low.tolist()
    grid = clustered_mcnemar_test(np.stack([a, a]), b, groups)
    assert grid.p_value.shape == grid.exact.shape == (2, 2)
    assert grid.p_value[1].tolist() == found.p_value.tolist()
    with pytest.raises(ValueError, match="1000 at most"):
        clustered_mcnemar_test(np.ones(1001), np.zeros(1001), np.arange(1001), exact=True)


@pytest.mark.parametrize("discordant", [4, 5, 6, 8, 9, 12, 20])
def test_few_discordant_patients_do_not_raise_false_alarms(discordant: int) -> None:
    # All outcomes of a fair coin: only a is right on k of them.
    only_a = np.arange(discordant + 1)
    chances = stats.binom.pmf(only_a, discordant, 0.5)
    a = np.hstack([np.arange(discordant) < only_a[:, None], np.ones((discordant + 1, 80), dtype=bool)])
    b = np.hstack([~a[:, :discordant], a[:, discordant:]])
    groups = np.concatenate([np.arange(discordant), np.repeat(np.arange(40) + discordant, 2)])
    p_value = clustered_mcnemar_test(a, b, groups).p_value
    for level in (0.01, 0.05, 0.1, 0.3):
        assert chances[p_value <= level].sum() <= level


def test_clusters_of_one_sample_give_mcnemar_to_the_bit() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 30, 200)) < np.array([0.8, 0.7])[:, None, None]
    clustered = clustered_mcnemar_test(a, b, rng.permutation(200), exact=False)
    plain = mcnemar_test(confusion_between(a, b, [True, False]), exact=False)
    assert clustered.statistic.tolist() == plain.statistic.tolist()
    assert clustered.p_value.tolist() == plain.p_value.tolist()
    assert clustered.estimate.tolist() == plain.estimate.tolist()


def test_clustered_interval_holds_the_differences_that_the_test_does_not_reject() -> None:
    rng = np.random.default_rng(1)
    patient = rng.integers(0, 60, 300)
    a, b = rng.random((2, 300)) < np.array([[0.8], [0.65]])
    found = clustered_mcnemar_test(a, b, patient, level=0.9)
    sizes = np.bincount(patient)
    difference = np.bincount(patient, weights=a.astype(int) - b.astype(int))
    for end in (found.ci_low, found.ci_high):
        left = difference - sizes * end
        assert left.sum() ** 2 / (left**2).sum() == pytest.approx(1.6448536269514722**2, rel=1e-9)
    assert found.ci_low < found.estimate < found.ci_high


def test_clustered_interval_covers_the_true_difference() -> None:
    rng = np.random.default_rng(2)
    patient = np.repeat(np.arange(60), rng.integers(1, 9, 60))
    ease = rng.random((1000, 60))[:, patient]
    a, b = 0.5 * ease + 0.5 * rng.random((2, 1000, len(patient))) > np.array([0.4, 0.5])[:, None, None]
    # P(U + V > 0.8) less P(U + V > 1) for uniform U and V.
    truth = (1 - 0.8**2 / 2) - 0.5
    found = clustered_mcnemar_test(a, b, patient)
    assert 0.935 < ((found.ci_low <= truth) & (truth <= found.ci_high)).mean() < 0.97


def test_unknown_samples_do_not_count() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.random((2, 3, 80)) < 0.6
    patient, known = rng.integers(0, 20, 80), rng.random((3, 80)) < 0.7
    found = clustered_mcnemar_test(a, b, patient, known=known)
    for row in range(3):
        seen = known[row]
        alone = clustered_mcnemar_test(a[row, seen], b[row, seen], patient[seen])
        for field in ("statistic", "p_value", "exact", "estimate", "ci_low", "ci_high", "n", "n_clusters", "only_a"):
            assert getattr(found, field)[row] == pytest.approx(getattr(alone, field), rel=1e-13)


def test_equal_correctness_is_flagged() -> None:
    right = np.array([1, 0, 1, 1])
    found = clustered_mcnemar_test(right, right, np.array([1, 1, 2, 3]))
    assert (found.statistic, found.p_value, found.log10_p, found.estimate) == (0, 1, 0, 0)
    assert found.degenerate == "no discordant sample"
    assert found.ci_high == -found.ci_low == pytest.approx(3.841458820694124 / 6.841458820694124)


def test_discordance_that_cancels_in_every_cluster_is_flagged() -> None:
    found = clustered_mcnemar_test(np.array([1, 0, 1]), np.array([0, 1, 1]), np.array([1, 1, 2]))
    assert (found.statistic, found.p_value, found.degenerate) == (0, 1, "no cluster differs")


def test_one_cluster_and_no_known_sample_are_nan_and_flagged() -> None:
    found = clustered_mcnemar_test(np.array([1, 1, 0]), np.array([0, 0, 0]), np.array([4, 4, 4]))
    assert found.estimate == 2 / 3
    assert np.isnan([found.statistic, found.p_value, found.log10_p, found.ci_low, found.ci_high]).all()
    assert found.degenerate == "one cluster only"
    known = np.array([[False, False, False], [True, True, True]])
    found = clustered_mcnemar_test(np.array([1, 1, 0]), np.array([0, 0, 0]), np.array([4, 4, 5]), known=known)
    assert found.degenerate.tolist() == ["no samples", None]
    assert np.isnan(found.estimate[0])
    assert found.p_value[1] == 1
    chi_squared = clustered_mcnemar_test(
        np.array([1, 1, 0]), np.array([0, 0, 0]), np.array([4, 4, 5]), known=known, exact=False
    )
    assert np.isnan(chi_squared.p_value[0])
    assert chi_squared.p_value[1] == pytest.approx(0.31731050786291415)


@pytest.mark.parametrize(
    ("a", "b", "groups", "words"),
    [
        ([], [], [], "no samples"),
        ([1, 0], [1, 0, 1], [1, 2], "length"),
        ([1, 0], [1, 0], [1], "one for each of the 2"),
        ([1, 2], [1, 0], [1, 2], "correct_a must be booleans"),
        ([1, 0], [1, np.nan], [1, 2], "correct_b must be booleans"),
        ([1, 0], ["a", "b"], [1, 2], "correct_b must be booleans"),
        ([1, 0], [1, 0], [1, np.nan], "1 groups are missing"),
        ([1, 0], [1, 0], [[1, 2]], "groups"),
        (1, 1, [1], "arrays"),
    ],
)
def test_what_cannot_be_compared_is_an_error(a: object, b: object, groups: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        clustered_mcnemar_test(np.asarray(a), np.asarray(b), np.asarray(groups))


def test_what_is_known_must_be_said_of_every_sample() -> None:
    for known, words in ((True, "arrays"), ([True], "length"), ([1, 2], "known must be booleans")):
        with pytest.raises(ValueError, match=words):
            clustered_mcnemar_test(np.array([1, 0]), np.array([0, 0]), np.array([1, 2]), known=np.asarray(known))


@pytest.mark.parametrize("level", [0, 1, 95])
def test_level_must_be_a_share(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        mcnemar_test(APPROVAL, level=level)
    with pytest.raises(ValueError, match="level"):
        clustered_mcnemar_test(np.array([1, 0]), np.array([0, 0]), np.array([1, 2]), level=level)


SAMPLES = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 6)), min_size=1, max_size=40)


@given(SAMPLES, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_order_of_samples_does_not_change_a_bit(samples: list[tuple[bool, bool, int]], random: Random) -> None:
    shuffled = samples.copy()
    random.shuffle(shuffled)
    first, second = (clustered_mcnemar_test(*_columns(rows)) for rows in (samples, shuffled))
    for field in ("statistic", "p_value", "estimate", "n_clusters", "degenerate"):
        np.testing.assert_equal(getattr(first, field), getattr(second, field))


@given(SAMPLES)
@settings(max_examples=50, deadline=None)
def test_samples_doubled_in_their_cluster_add_no_evidence(samples: list[tuple[bool, bool, int]]) -> None:
    once, twice = (clustered_mcnemar_test(*_columns(rows)) for rows in (samples, samples + samples))
    for field in ("statistic", "p_value", "estimate", "ci_low", "ci_high"):
        np.testing.assert_allclose(getattr(twice, field), getattr(once, field), rtol=1e-9, atol=1e-12)


@given(SAMPLES)
@settings(max_examples=50, deadline=None)
def test_swapping_the_models_changes_signs_only(samples: list[tuple[bool, bool, int]]) -> None:
    a, b, groups = _columns(samples)
    there, back = clustered_mcnemar_test(a, b, groups), clustered_mcnemar_test(b, a, groups)
    np.testing.assert_equal(there.statistic, back.statistic)
    np.testing.assert_allclose(
        [there.estimate, there.ci_low, there.ci_high], [-back.estimate, -back.ci_high, -back.ci_low], atol=1e-12
    )


def _columns(rows: list[tuple[bool, bool, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    a, b, groups = (np.array(column) for column in zip(*rows, strict=True))
    return a, b, groups
