"""Predictions on disk, and alignment of two test sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrbench.foundation.errors import RefusedError, UserError
from cxrbench.tasks.predictions import Predictions

from .test_scores import multi, single


@pytest.mark.parametrize("predictions", [single(), multi([[1, np.nan], [0, 1]], [[0.1, 0.2], [0.3, np.nan]])])
def test_predictions_read_back_bit_equal(tmp_path: Path, predictions: Predictions) -> None:
    predictions.write(tmp_path / "p.parquet")
    back = Predictions.read(tmp_path / "p.parquet")
    assert (back.labels, back.exclusive) == (predictions.labels, predictions.exclusive)
    for column in ("truth", "scores", "decision"):
        one, other = (np.stack(each.table[column].to_list()) for each in (back, predictions))
        assert one.tobytes() == other.tobytes()
    assert list(back.table["sample_id"]) == list(predictions.table["sample_id"])


def test_a_cut_file_is_named(tmp_path: Path) -> None:
    single().write(tmp_path / "p.parquet")
    whole = (tmp_path / "p.parquet").read_bytes()
    (tmp_path / "p.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"p\.parquet: predictions cannot be read"):
        Predictions.read(tmp_path / "p.parquet")


def test_a_foreign_parquet_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(UserError, match="not written by cxrbench"):
        Predictions.read(tmp_path / "p.parquet")


def test_rows_are_aligned_by_sample() -> None:
    one = single()
    order = np.random.default_rng(1).permutation(len(one.table))
    shuffled = Predictions(one.table.iloc[order].reset_index(drop=True), one.labels, True)
    a, b = one.aligned_with(shuffled)
    pd.testing.assert_frame_equal(a.table, b.table)


def test_test_sets_that_differ_are_refused() -> None:
    one = single()
    fewer = Predictions(one.table.iloc[1:], one.labels, True)
    with pytest.raises(RefusedError, match=r"differ in 1 samples \(s0\)"):
        one.aligned_with(fewer)
    with pytest.raises(RefusedError, match="different labels"):
        one.aligned_with(single(classes=4))


def test_two_predictions_of_one_sample_are_refused() -> None:
    one = single()
    twice = Predictions(pd.concat([one.table, one.table.iloc[:1]], ignore_index=True), one.labels, True)
    with pytest.raises(RefusedError, match=r"1 samples have two predictions each \(s0\)"):
        one.aligned_with(twice)


def test_columns_come_as_arrays() -> None:
    many = multi([[1, np.nan], [0, 1]], [[0.1, 0.2], [0.3, np.nan]])
    np.testing.assert_array_equal(many.array("truth"), [[1, np.nan], [0, 1]])
    assert single(5).array("truth").shape == (5,)
    assert (single(5).array("scores").shape, single(5).array("scores").dtype) == ((5, 3), np.float64)
    ragged = Predictions(many.table.assign(truth=pd.Series([[1, 0, 1], [1]])), many.labels, False)
    with pytest.raises(ValueError, match="truth: rows of different lengths"):
        ragged.array("truth")


def test_a_truth_that_is_no_array_is_compared_too() -> None:
    boxes = multi([[1, 0], [0, 1]], [[0.1, 0.2], [0.3, 0.4]])
    one, other = (
        Predictions(boxes.table.assign(truth=pd.Series(truth)), boxes.labels, False)
        for truth in ([[[1, 2]], []], [[[1, 3]], []])
    )
    one.aligned_with(one)
    with pytest.raises(RefusedError, match="disagree on the truth"):
        one.aligned_with(other)
