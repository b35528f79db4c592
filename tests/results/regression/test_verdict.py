"""Verdicts: every place an interval can lie, and what stands beside a store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cxrbench.foundation.errors import RefusedError, UserError
from cxrbench.results.regression import Outcome, check, record_baseline
from cxrbench.results.regression.interval import PairedInterval
from cxrbench.results.regression.verdict import judge
from cxrbench.results.store import Store
from cxrbench.tasks.predictions import Predictions

from ..stores import multi_label, put, single_label


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (-0.01, 0.03, Outcome.PASSED),
        (0.01, 0.03, Outcome.PASSED),
        (-0.019, -0.001, Outcome.PASSED),
        (-0.02, 0.03, Outcome.INCONCLUSIVE),
        (-0.05, 0.0, Outcome.INCONCLUSIVE),
        (-0.05, -0.0001, Outcome.REGRESSION),
        (-0.02, -0.01, Outcome.REGRESSION),
    ],
)
def test_where_the_interval_lies_decides(low: float, high: float, outcome: Outcome) -> None:
    assert judge(PairedInterval((low + high) / 2, low, high), 0.02)[0] is outcome


def test_a_certain_loss_inside_the_margin_passes_with_a_remark() -> None:
    outcome, words = judge(PairedInterval(-0.01, -0.015, -0.005), 0.02)
    assert outcome is Outcome.PASSED
    assert "lower than the baseline" in words


def test_no_difference_passes_a_margin_of_zero() -> None:
    assert judge(PairedInterval(0.0, 0.0, 0.0), 0.0)[0] is Outcome.PASSED
    assert judge(PairedInterval(0.0, -0.0, 0.0), 0.0)[0] is Outcome.PASSED


def stores(tmp_path: Path, replicates: int = 3) -> tuple[Store, Store]:
    """A store, and another with the same trials."""
    for name in ("old", "new"):
        for replicate in range(replicates):
            put(tmp_path / name, multi_label(1.5, replicate), replicate=replicate)
    return Store(tmp_path / "old"), Store(tmp_path / "new")


def test_a_store_passes_against_its_own_baseline(tmp_path: Path) -> None:
    old, new = stores(tmp_path)
    report = check(record_baseline(old, list(old.records())).baseline, new, list(new.records()))
    (verdict,) = report.verdicts
    assert (verdict.outcome, verdict.replicates, verdict.patients) == (Outcome.PASSED, 3, 60)
    assert verdict.interval == PairedInterval(0.0, 0.0, 0.0)
    assert not report.failed


def test_random_scores_are_a_regression(tmp_path: Path) -> None:
    old, _ = stores(tmp_path)
    for replicate in range(3):
        put(tmp_path / "random", multi_label(0.0, 10 + replicate), replicate=replicate, weights={"sha256": "random"})
    random = Store(tmp_path / "random")
    report = check(record_baseline(old, list(old.records())).baseline, random, list(random.records()))
    assert [each.outcome for each in report.verdicts] == [Outcome.REGRESSION]
    assert report.failed


def test_jitter_of_another_machine_passes(tmp_path: Path) -> None:
    old, _ = stores(tmp_path)
    for replicate in range(3):
        one = multi_label(1.5, replicate)
        table = one.table.assign(scores=[scores * (1 + 1e-4 * row) for row, scores in enumerate(one.table["scores"])])
        put(tmp_path / "jitter", Predictions(table, one.labels, False), replicate=replicate)
    jitter = Store(tmp_path / "jitter")
    (verdict,) = check(record_baseline(old, list(old.records())).baseline, jitter, list(jitter.records())).verdicts
    assert verdict.outcome is Outcome.PASSED
    assert verdict.interval is not None
    assert verdict.interval.low < 0 < verdict.interval.high


def test_what_is_neither_is_inconclusive_and_fails_unless_allowed(tmp_path: Path) -> None:
    put(tmp_path / "old", single_label(0.8, 1))
    put(tmp_path / "new", single_label(0.8, 2))
    put(tmp_path / "old", single_label(0.8, 1), task="pediatric_pneumonia")
    put(tmp_path / "new", single_label(0.8, 2), task="pediatric_pneumonia")
    old, new = Store(tmp_path / "old"), Store(tmp_path / "new")
    of = [record for record in old.records() if record.task == "pediatric_pneumonia"]
    baseline = record_baseline(old, of, margin=0.001).baseline
    report = check(baseline, new, list(new.records()))
    assert (report.verdicts[0].outcome, report.failed) == (Outcome.INCONCLUSIVE, True)
    assert not replace(report, allow_inconclusive=True).failed
    assert report.notes == ("1 trials of the store are not in the baseline and were not looked at",)


def test_a_missing_replicate_fails_by_name(tmp_path: Path) -> None:
    old, new = stores(tmp_path)
    records = [record for record in new.records() if record.replicate != 1]
    report = check(record_baseline(old, list(old.records())).baseline, new, records)
    assert [(each.outcome, each.words) for each in report.verdicts] == [
        (Outcome.MISSING, "missing: the store lacks replicate 1")
    ]
    (missing,) = report.verdicts
    values = [record.metrics["auc"] for record in old.records()]
    assert missing.baseline == pytest.approx(sum(value or 0 for value in values) / len(values))
    assert (missing.patients, missing.now) == (60, None)
    assert report.failed


def test_another_test_set_is_no_answer(tmp_path: Path) -> None:
    old, _ = stores(tmp_path, 1)
    put(tmp_path / "other", multi_label(1.5, 0, n=118))
    other = Store(tmp_path / "other")
    baseline = record_baseline(old, list(old.records())).baseline
    with pytest.raises(UserError, match=r"scratch on chexpert frozen 100 %: .*the test sets differ in 2 samples"):
        check(baseline, other, list(other.records()))


def test_another_truth_is_no_answer(tmp_path: Path) -> None:
    old, _ = stores(tmp_path, 1)
    one = multi_label(1.5, 0)
    put(
        tmp_path / "other",
        Predictions(one.table.assign(truth=[1 - each for each in one.table["truth"]]), one.labels, False),
    )
    other = Store(tmp_path / "other")
    baseline = record_baseline(old, list(old.records())).baseline
    with pytest.raises(UserError, match="disagree on the truth") as caught:
        check(baseline, other, list(other.records()))
    assert caught.value.exit_code == 2


def test_a_metric_that_the_task_no_longer_gives_is_no_answer(tmp_path: Path) -> None:
    old, new = stores(tmp_path, 1)
    baseline = record_baseline(old, list(old.records())).baseline
    (cell,) = baseline.expectations
    gone = replace(baseline, expectations={cell: replace(baseline.expectations[cell], metric="auc_of_old")})
    with pytest.raises(UserError, match=r"scratch on chexpert frozen 100 %: .* auc_of_old, which chexp") as caught:
        check(gone, new, list(new.records()))
    assert caught.value.exit_code == 2


def test_a_mean_over_other_labels_is_no_comparison(tmp_path: Path) -> None:
    old, _ = stores(tmp_path, 1)
    one = multi_label(1.5, 0)
    scores = [each * [1, 1, 1, 1, float("nan")] for each in one.table["scores"]]
    put(tmp_path / "fewer", Predictions(one.table.assign(scores=scores), one.labels, False))
    fewer = Store(tmp_path / "fewer")
    report = check(record_baseline(old, list(old.records())).baseline, fewer, list(fewer.records()))
    assert report.verdicts[0].outcome is Outcome.UNDEFINED
    assert "Pleural Effusion" in report.verdicts[0].words
    assert report.verdicts[0].patients == 60


def test_replicates_of_several_settings_are_no_baseline(tmp_path: Path) -> None:
    put(tmp_path, multi_label(1.5, 0))
    put(tmp_path, multi_label(1.5, 1), replicate=1, settings_hash="bbbbbbbb")
    with pytest.raises(RefusedError, match=r"records of 2 settings: .*choose one with --settings"):
        record_baseline(Store(tmp_path), list(Store(tmp_path).records()))


def test_one_replicate_under_two_settings_is_told_from_two_weights(tmp_path: Path) -> None:
    put(tmp_path, multi_label(1.5, 0))
    other = {"settings": {"image_size": 32}, "settings_hash": "bbbbbbbb"}
    put(tmp_path, multi_label(1.5, 1), fingerprint="f" * 16, **other)
    with pytest.raises(RefusedError, match=r"--settings HASH.*image_size"):
        record_baseline(Store(tmp_path), list(Store(tmp_path).records()))
