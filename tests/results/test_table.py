"""Tables: means by hand, blanks, and refusal of mixtures."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

import pytest

from cxrbench.foundation.errors import RefusedError, UserError
from cxrbench.results.record import Record
from cxrbench.results.rendering.cell import signs
from cxrbench.results.table import tables
from cxrbench.results.table_grid import table_grid

from .stores import record

AUC = {"chexpert": "auc"}


def replicates(values: Sequence[float | None], **changes: object) -> list[Record]:
    return [record(replicate=n, metrics={"auc": value}, **changes) for n, value in enumerate(values)]


def test_mean_and_sample_sd_over_replicates() -> None:
    values = [0.70, 0.74, 0.81]
    cell = tables(replicates(values), AUC)[0].cells["scratch", 1.0]
    assert (cell.mean, cell.sd) == (pytest.approx(statistics.mean(values)), pytest.approx(statistics.stdev(values)))
    assert (cell.defined, cell.replicates) == (3, 3)


def test_undefined_values_are_left_out_and_counted() -> None:
    cell = tables(replicates([0.7, None, 0.8]), AUC)[0].cells["scratch", 1.0]
    assert (cell.mean, cell.defined, cell.replicates) == (pytest.approx(0.75), 2, 3)
    cell = tables(replicates([None]), AUC)[0].cells["scratch", 1.0]
    assert (cell.mean, cell.sd) == (None, None)


def test_one_replicate_has_no_sd() -> None:
    assert tables(replicates([0.7]), AUC)[0].cells["scratch", 1.0].sd is None


def test_cells_that_were_not_run_are_absent() -> None:
    shown = tables([*replicates([0.7]), *replicates([0.8], encoder="imagenet", fraction=10.0)], AUC)[0]
    assert shown.encoders == ("imagenet", "scratch")
    assert ("imagenet", 1.0) not in shown.cells


def test_a_mixture_of_settings_is_refused_with_what_differs() -> None:
    other = replicates([0.8], encoder="imagenet", settings_hash="bbbbbbbb", settings={"image_size": 128})
    with pytest.raises(
        RefusedError, match=r"2 settings: aaaaaaaa \(1 trial\), bbbbbbbb .*this order, in image_size \(64 / 128\)"
    ):
        tables([*replicates([0.7]), *other], AUC)
    assert tables([*replicates([0.7]), *other], AUC, ["bbbbbbbb"])[0].encoders == ("imagenet",)


def test_unknown_settings_and_metrics_are_named() -> None:
    with pytest.raises(UserError, match=r"--settings: unknown settings hash 'aaaaaaab'; did you mean 'aaaaaaaa'"):
        tables(replicates([0.7]), AUC, ["aaaaaaab"])
    with pytest.raises(UserError, match=r"--metric: chexpert: unknown metric 'acu'; did you mean 'auc'"):
        tables(replicates([0.7]), {"chexpert": "acu"})


def test_two_weights_under_one_name_are_never_averaged() -> None:
    with pytest.raises(RefusedError, match=r"scratch on chexpert has two trials at 1 %, replicate 0: .*0-a.*0-b"):
        tables([record(fingerprint="a"), record(fingerprint="b")], AUC)


def test_weights_that_differ_between_replicates_are_never_averaged() -> None:
    draws = [record(weights={"sha256": "ab"}), record(replicate=1, weights={"sha256": "cd"})]
    with pytest.raises(RefusedError, match=r"scratch stands for several weights: ab \(.*\) and cd \("):
        tables(draws, AUC)
    # Random ones are drawn anew for every replicate of a fine-tuning.
    random = [record(replicate=n, weights={"sha256": str(n), "seed": n, "arch": "resnet18"}) for n in range(2)]
    assert tables(random, AUC)[0].cells["scratch", 1.0].replicates == 2


def test_a_metric_that_only_some_trials_record_is_refused_with_those_that_do_not() -> None:
    mixed = [record(metrics={"auc": 0.7, "f1": 0.5}), record(replicate=1)]
    with pytest.raises(
        RefusedError, match=r"--metric f1: 1 of 2 trials do not record it, such as chexpert/default/.*1-0"
    ):
        tables(mixed, {"chexpert": "f1"})


def test_cells_of_encoders_that_saw_the_dataset_are_marked() -> None:
    (shown,) = tables([record(weights={"contamination": ["chexpert"]}), record(encoder="imagenet")], AUC)
    grid = table_grid(shown)
    assert [row.entries[0].contaminated for row in grid.rows] == [False, True]
    assert "‡ The encoder saw images of this dataset in pretraining." in grid.notes


def test_cells_of_unverified_weights_are_marked() -> None:
    (shown,) = tables([record(weights={"unverified": True}), record(encoder="imagenet")], AUC)
    grid = table_grid(shown)
    assert [row.entries[0].unverified for row in grid.rows] == [False, True]
    assert "‖ Unverified weights: the file of the encoder is not the published one." in grid.notes
    assert signs(grid.rows[1].entries[0]) == "‖"


def test_cells_of_a_dataset_with_images_left_out_are_marked_and_counted() -> None:
    (shown,) = tables(replicates([0.7, 0.8], dataset={"name": "chexpert", "left_out": 3}), AUC)
    grid = table_grid(shown)
    assert grid.rows[0].entries[0].left_out == 3
    assert "¶ chexpert: 3 images left out (--skip-unreadable)." in grid.notes
    (whole,) = tables(replicates([0.7, 0.8]), AUC)
    assert table_grid(whole).rows[0].entries[0].left_out == 0
    assert not any("left out" in note for note in table_grid(whole).notes)


def test_trials_with_and_without_images_left_out_are_never_averaged() -> None:
    mixed = [record(), record(replicate=1, dataset={"name": "chexpert", "left_out": 1}, settings_hash="bbbbbbbb")]
    with pytest.raises(RefusedError, match="records of 2 settings"):
        tables(mixed, AUC)


def test_shared_notes_are_shown_once_and_others_are_counted() -> None:
    shown = tables([record(notes=["a", "b"]), record(replicate=1, notes=["a"])], AUC)[0]
    assert (shown.notes, shown.trials_with_notes) == (("a",), 1)


def test_tables_of_phantoms_say_so(tmp_path: Path) -> None:
    assert tables(replicates([0.7]), AUC)[0].synthetic
    assert not tables(replicates([0.7], synthetic=False), AUC)[0].synthetic


def test_splits_that_differ_by_images_left_out_are_told_as_such() -> None:
    whole = record(encoder="a", split={"hash": "one"})
    less = record(encoder="b", split={"hash": "two"}, dataset={**whole.dataset, "left_out": 3})
    with pytest.raises(RefusedError, match=r"different splits; 0 and 3 images were left out; run both on the same"):
        tables([whole, less], AUC)


def test_one_draw_with_two_splits_is_refused() -> None:
    drawn = record(encoder="a", split={"hash": "one"})
    imported = record(encoder="b", split={"hash": "two"})
    with pytest.raises(RefusedError, match=r"a and b ran on different splits; run both with the same --splits file"):
        tables([drawn, imported], AUC)
