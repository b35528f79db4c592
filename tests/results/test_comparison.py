"""Comparisons: tests against scipy and hand counts, words, and what is refused."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from cxrbench.foundation.errors import RefusedError, UserError
from cxrbench.results import Store
from cxrbench.results.comparison import EncoderComparison, compare_encoders
from cxrbench.results.comparison_export import as_csv, as_json
from cxrbench.results.trial_pairs import alone
from cxrbench.tasks.predictions import Predictions
from cxrbench.tasks.registry import tasks

from .stores import LABELS, multi_label, put, single_label
from .test_verdict import by_hand


def compared(store: Path, task: str = "chexpert", **options: object) -> list[EncoderComparison]:
    return compare_encoders(Store(store), list(Store(store).records()), tasks.get(task), "good", "scratch", **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def replicates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two encoders, six replicates at 10 %: one is clearly better."""
    store = tmp_path_factory.mktemp("replicates")
    for number in range(6):
        put(store, multi_label(1.5, seed=10 + number), encoder="good", fraction=10.0, replicate=number)
        put(store, multi_label(0.8, seed=50 + number), encoder="scratch", fraction=10.0, replicate=number)
    return store


def test_replicates_are_tested_by_the_papers_paired_t_and_by_the_pool_t_that_decides(replicates: Path) -> None:
    (row,) = compared(replicates)
    values = {each.encoder: [] for each in Store(replicates).records()}
    for each in Store(replicates).records():
        values[each.encoder].append(each.metrics["auc"])
    reference = stats.ttest_rel(values["good"], values["scratch"])
    paired, pool = row.test("paired t"), row.test("pool t")
    assert paired is not None
    assert pool is not None
    assert (paired.statistic, paired.p_value) == pytest.approx((reference.statistic, reference.pvalue), rel=1e-9)
    # Variance 1/J + f/(1 - f) in place of 1/J, at J = 6 and f = 0.1.
    assert pool.statistic == pytest.approx(reference.statistic * np.sqrt((1 / 6) / (1 / 6 + 0.1 / 0.9)), rel=1e-9)
    assert (paired.decides, pool.decides, row.decider) == (False, True, pool)
    difference = np.subtract(values["good"], values["scratch"])
    assert row.difference == pytest.approx(difference.mean())
    assert row.effect_size == pytest.approx(difference.mean() / difference.std(ddof=1))
    assert (row.a_better, row.b_better, row.replicates, row.n, row.patients) == (6, 0, 6, 120, 60)


def test_a_clear_difference_is_said_in_words_with_its_interval(replicates: Path) -> None:
    (row,) = compared(replicates)
    assert row.ci_low is not None
    assert row.ci_high is not None
    assert row.difference is not None
    assert 0 < row.ci_low < row.difference < row.ci_high
    assert row.verdict.startswith(f"good is better than scratch: {row.difference:+.3f} auc, p ")
    assert row.verdict.endswith(", 6 replicates")


def test_swapping_the_encoders_mirrors_every_number(replicates: Path) -> None:
    records = list(Store(replicates).records())
    (row,) = compare_encoders(Store(replicates), records, tasks.get("chexpert"), "scratch", "good")
    (mirrored,) = compared(replicates)
    assert (row.difference, row.mean_a) == (pytest.approx(-mirrored.difference), mirrored.mean_b)  # type: ignore[operator]
    assert [test.p_value for test in row.tests] == pytest.approx([test.p_value for test in mirrored.tests])
    # The sentence counts from the better one's side whatever the order.
    assert row.verdict == mirrored.verdict


def test_one_replicate_is_tested_over_images_and_labels_by_delong_with_holm(tmp_path: Path) -> None:
    put(tmp_path, multi_label(1.5, 1), encoder="good")
    put(tmp_path, multi_label(0.8, 2))
    rows = compared(tmp_path)
    assert [row.metric for row in rows] == ["auc", *(f"auc/{label}" for label in multi_label(1, 1).labels)]
    assert {test.name for row in rows for test in row.tests} == {"DeLong"}
    assert rows[0].tests[0].p_adjusted is None
    raw = sorted(row.tests[0].p_value or 1 for row in rows[1:])
    adjusted = sorted(row.tests[0].p_adjusted or 1 for row in rows[1:])
    by_hand = np.minimum(np.maximum.accumulate(np.array(raw) * np.arange(5, 0, -1)), 1)
    assert adjusted == pytest.approx(by_hand)
    assert "120 images of 60 patients" in rows[0].verdict


def test_accuracy_is_decided_by_mcnemar_and_never_by_marginal_homogeneity(tmp_path: Path) -> None:
    a = put(tmp_path, single_label(0.9, 1), "pediatric_pneumonia", encoder="good")
    b = put(tmp_path, single_label(0.6, 2), "pediatric_pneumonia")
    row = compared(tmp_path, "pediatric_pneumonia")[0]
    right = [
        (each.table["truth"] == each.table["decision"]).to_numpy()
        for each in (Store(tmp_path).predictions(a), Store(tmp_path).predictions(b))
    ]
    only_a, only_b = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    assert (row.only_a_right, row.only_b_right) == (only_a, only_b)
    assert row.effect_size == pytest.approx(only_a / only_b)
    mcnemar, homogeneity = row.test("McNemar"), row.test("Stuart-Maxwell")
    assert mcnemar is not None
    assert homogeneity is not None
    assert mcnemar.statistic == pytest.approx((only_a - only_b) ** 2 / (only_a + only_b))
    assert (row.decider, homogeneity.decides, homogeneity.subject) == (mcnemar, False, "marginal homogeneity")
    assert "good is better than scratch" in row.verdict


def test_equal_predictions_are_no_difference_and_degenerate(tmp_path: Path) -> None:
    for encoder in ("good", "scratch"):
        put(tmp_path, multi_label(1.0, 1), encoder=encoder)
    row = compared(tmp_path)[0]
    assert (row.difference, row.tests[0].p_value) == (0.0, 1.0)
    assert row.tests[0].degenerate is not None
    assert "nothing can be said" in row.verdict
    assert (row.ci_low, row.ci_high) == (0.0, 0.0)


def test_other_metrics_have_an_interval_where_no_test_decides(tmp_path: Path) -> None:
    put(tmp_path, single_label(0.9, 1), "pediatric_pneumonia", encoder="good")
    put(tmp_path, single_label(0.6, 2), "pediatric_pneumonia")
    (row,) = compared(tmp_path, "pediatric_pneumonia", metrics=("f1",))
    assert row.tests == ()
    assert row.ci_low is not None
    assert row.ci_low > 0
    assert "no test of it decides, see its interval" in row.verdict


def test_tables_of_many_pairs_go_without_reading_predictions(replicates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = compared(replicates)[0]
    monkeypatch.setattr(Store, "predictions", None)
    (row,) = compared(replicates, interval=False)
    assert (row.difference, row.tests) == (pytest.approx(whole.difference), whole.tests)
    assert (row.ci_low, row.n, row.only_a_right) == (None, None, None)


def changed(predictions: Predictions, **columns: Any) -> Predictions:
    return replace(predictions, table=predictions.table.assign(**columns))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda it: replace(it, table=it.table.iloc[1:]), r"test sets differ in 1 samples \(s0000\)"),
        (lambda it: changed(it, sample_id=["new", *it.table["sample_id"][1:]]), "test sets differ in 2 samples"),
        (lambda it: changed(it, sample_id=["s0001", *it.table["sample_id"][1:]]), r"two predictions each \(s0001\)"),
        (
            lambda it: changed(it, scores=[np.full(5, np.nan), *it.table["scores"][1:]]),
            r"5 scores are NaN \(Atelectasis, Cardiomegaly, Consolidation\); such predictions cannot",
        ),
        (lambda it: changed(it, truth=[1 - it.table["truth"][0], *it.table["truth"][1:]]), "disagree on the truth"),
    ],
)
def test_predictions_that_cannot_be_paired_are_refused(damage, words: str, tmp_path: Path) -> None:
    whole = multi_label(1.5, 1)
    put(tmp_path, damage(whole), scored=whole, encoder="good")
    put(tmp_path, multi_label(0.8, 2))
    with pytest.raises(RefusedError, match=words):
        compared(tmp_path)


def test_predictions_of_another_trial_are_refused(tmp_path: Path) -> None:
    record = put(tmp_path, multi_label(1.5, 1), encoder="good")
    put(tmp_path, multi_label(0.8, 2))
    multi_label(1.4, 3).write(tmp_path / record.place / "predictions.parquet")
    with pytest.raises(
        RefusedError, match=r"predictions\.parquet: not the predictions that its record\.json was made of"
    ):
        compared(tmp_path)


def test_a_label_that_was_not_fitted_is_left_out_of_the_tests(tmp_path: Path) -> None:
    unfitted = multi_label(1.5, 1)
    scores = np.stack(unfitted.table["scores"].to_list())
    scores[:, 2] = np.nan
    put(tmp_path, changed(unfitted, scores=list(scores)), encoder="good")
    put(tmp_path, multi_label(0.8, 2))
    rows = compared(tmp_path)
    assert rows[0].tests[0].subject == "auc, mean of 4"
    (blank,) = (row for row in rows if row.metric == "auc/Consolidation")
    assert (blank.difference, blank.tests, blank.ci_low) == (None, (), None)
    rows.remove(blank)
    # Both means are over the four labels that both have, as the test's.
    assert [row.difference for row in rows] == pytest.approx([row.tests[0].estimate for row in rows], rel=1e-9)
    assert rows[0].mean_b == pytest.approx(np.mean([row.mean_b or 0.0 for row in rows[1:]]))


def test_replicates_with_a_label_that_one_did_not_fit_are_compared_without_it(tmp_path: Path) -> None:
    for number in range(2):
        unfitted = multi_label(1.5, number)
        scores = np.stack(unfitted.table["scores"].to_list())
        scores[:, 2] = np.nan
        put(tmp_path, changed(unfitted, scores=list(scores)), encoder="good", replicate=number)
        put(tmp_path, multi_label(0.8, 9 + number), replicate=number)
    (row,) = compared(tmp_path, interval=False)
    of_four = [
        np.mean([each.metrics[f"auc/{label}"] or 0.0 for label in LABELS if label != "Consolidation"])
        for each in Store(tmp_path).records()
        if each.encoder == "scratch"
    ]
    assert row.mean_b == pytest.approx(np.mean(of_four))


def test_binary_decisions_are_counted_by_themselves(tmp_path: Path) -> None:
    # Classes 0 is healthy. A takes one ill class for another, which the binary view forgives.
    truth, right, forgiven = [0, 1, 2, 1], [0, 1, 2, 1], [0, 2, 2, 1]
    whole = single_label(0.5, 1, n=4)
    put(tmp_path, changed(whole, truth=truth, decision=forgiven), "pediatric_pneumonia", encoder="good")
    put(tmp_path, changed(whole, truth=truth, decision=right), "pediatric_pneumonia")
    by_class, binary = compared(tmp_path, "pediatric_pneumonia", metrics=("accuracy", "binary_accuracy"))
    assert (by_class.only_a_right, by_class.only_b_right) == (0, 1)
    assert (binary.only_a_right, binary.only_b_right) == (0, 0)


def test_an_interval_that_resamples_cannot_support_is_left_out(tmp_path: Path) -> None:
    # One positive in the test set: over a third of the resamples hold none.
    truth = [[1.0 if row == 0 else float(value) for value in (0, *rest)] for row, (_, *rest) in enumerate(truths())]
    for encoder, seed in (("good", 1), ("scratch", 2)):
        put(tmp_path, changed(multi_label(1.5, seed), truth=truth), encoder=encoder)
    rows = {row.metric: row for row in compared(tmp_path)}
    assert rows["auc/Atelectasis"].ci_low is None
    assert rows["auc/Edema"].ci_low is not None


def truths() -> list[list[float]]:
    return np.stack(multi_label(1, 1).table["truth"].to_list()).tolist()


def test_a_test_set_of_one_patient_has_no_interval(tmp_path: Path) -> None:
    for encoder, seed in (("good", 1), ("scratch", 2)):
        put(tmp_path, changed(multi_label(1.5, seed), patient_id="p"), encoder=encoder)
    row = compared(tmp_path)[0]
    assert row.ci_low is None
    assert "positives in a single group" in row.verdict


def test_replicates_of_other_test_sets_are_refused(tmp_path: Path) -> None:
    for number, n in enumerate((120, 100)):
        for encoder, skill in (("good", 1.5), ("scratch", 0.8)):
            put(tmp_path, multi_label(skill, number, n=n), encoder=encoder, replicate=number)
    with pytest.raises(RefusedError, match="test sets differ in 20 samples"):
        compared(tmp_path)


def test_an_image_of_another_patient_is_refused(tmp_path: Path) -> None:
    other = multi_label(1.5, 1)
    put(tmp_path, changed(other, patient_id=["new", *other.table["patient_id"][1:]]), encoder="good")
    put(tmp_path, multi_label(0.8, 2))
    with pytest.raises(RefusedError, match=r"1 test samples belong to other patients in the other trial \(s0000\)"):
        compared(tmp_path)


def test_predictions_without_a_patient_are_refused(tmp_path: Path) -> None:
    for encoder, seed in (("good", 1), ("scratch", 2)):
        each = multi_label(1.5, seed)
        put(tmp_path, changed(each, patient_id=[*each.table["patient_id"][:-1], ""]), encoder=encoder)
    assert compared(tmp_path)[0].patients == 61
    missing = changed(multi_label(1.5, 1), patient_id=[None, *multi_label(1.5, 1).table["patient_id"][1:]])
    for other in (missing, multi_label(1.5, 1)):
        with pytest.raises(RefusedError, match="1 predictions name no patient_id"):
            missing.aligned_with(other)


def test_mixed_task_versions_are_refused(tmp_path: Path) -> None:
    put(tmp_path, multi_label(1.5, 1), encoder="good", task_version=2, settings_hash="bbbbbbbb")
    put(tmp_path, multi_label(0.8, 2))
    with pytest.raises(RefusedError, match="good ran version 2 of chexpert and scratch version 1"):
        compared(tmp_path)
    put(tmp_path, multi_label(1.5, 3), encoder="good", replicate=1)
    put(tmp_path, multi_label(0.8, 4), replicate=1)
    put(tmp_path, multi_label(0.8, 4), task_version=2, settings_hash="bbbbbbbb", replicate=2)
    with pytest.raises(RefusedError, match="version"):
        compared(tmp_path)


def test_trials_of_other_splits_are_refused_without_reading_predictions(tmp_path: Path) -> None:
    for number in range(2):
        put(tmp_path, multi_label(1.5, number), encoder="good", replicate=number)
        put(tmp_path, multi_label(0.8, 9), replicate=number, split={"hash": "of another"})
    with pytest.raises(RefusedError, match=r"other patients at 100 %, replicate 0 \(splits of the split, of another\)"):
        compared(tmp_path, interval=False)


def test_replicates_of_several_settings_are_never_pooled(tmp_path: Path) -> None:
    for number, settings in enumerate(("aaaaaaaa", "bbbbbbbb")):
        for encoder in ("good", "scratch"):
            put(tmp_path, multi_label(1, number), encoder=encoder, replicate=number, settings_hash=settings)
    with pytest.raises(RefusedError, match=r"replicates of 2 settings or task versions \(aaaaaaaa, bbbbbbbb\)"):
        compared(tmp_path)


def test_unknown_names_are_answered_with_near_ones(replicates: Path) -> None:
    with pytest.raises(UserError, match=r"unknown metric 'acu'; did you mean 'auc'"):
        compared(replicates, metrics=("acu",))
    records = list(Store(replicates).records())
    with pytest.raises(UserError, match="unknown encoder in the trials of this task 'goud'; did you mean 'good'"):
        compare_encoders(Store(replicates), records, tasks.get("chexpert"), "goud", "scratch")


def test_trials_without_a_partner_are_named(tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path, multi_label(1.5, number), encoder="good", fraction=10.0, replicate=number)
    for number in range(2):
        put(tmp_path, multi_label(0.8, 9), fraction=10.0, replicate=number)
    put(tmp_path, multi_label(0.8, 9))
    assert alone(list(Store(tmp_path).records()), "chexpert", "good", "scratch") == {
        "good": ["default frozen 10 % replicate 2"],
        "scratch": ["default frozen 100 % replicate 0"],
    }
    # A trial of other settings is no partner where one set of them was asked for.
    put(tmp_path, multi_label(1.5, 3), encoder="good", settings_hash="bbbbbbbb")
    records = list(Store(tmp_path).records())
    assert "default frozen 100 % replicate 0" in alone(records, "chexpert", "good", "scratch", "aaaaaaaa")["scratch"]


def test_json_and_csv_hold_every_test(replicates: Path) -> None:
    rows = compared(replicates)
    (read,) = json.loads(as_json(rows))
    assert [test["name"] for test in read["tests"]] == ["paired t", "pool t"]
    assert read["difference"] == rows[0].difference
    lines = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert [line["test_name"] for line in lines] == ["paired t", "pool t"]
    assert float(lines[1]["test_p_value"]) == rows[0].tests[1].p_value
    assert {line["verdict"] for line in lines} == {rows[0].verdict}
    assert (lines[0]["settings_hash"], lines[0]["weights_b"], lines[0]["effect"]) == ("aaaaaaaa", "weights of s", "d")
    assert "Atelectasis" in lines[0]["about"]


def test_infinite_statistics_are_written_as_words() -> None:
    row = by_hand(statistic=float("inf"))
    assert json.loads(as_json([row]))[0]["tests"][0]["statistic"] == "inf"
