"""The table of a detection trial: written, read, repeated and aligned without a change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrbench.data.radiographs import Radiographs
from cxrbench.foundation.errors import RefusedError
from cxrbench.stats.average_precision import Detections
from cxrbench.tasks.detection.compare import pair_detection
from cxrbench.tasks.detection.predictions import detections_of, predictions_of, truth_of
from cxrbench.tasks.detection.targets import true_boxes
from cxrbench.tasks.predictions import Predictions

from .made_up import LABELS, predictions, random_predictions

RAGGED = {
    "truth": "float64",
    "truth_labels": "int64",
    "truth_crowd": "bool",
    "boxes": "float64",
    "scores": "float64",
    "box_labels": "int64",
}


def test_the_table_holds_what_was_there_and_what_was_found() -> None:
    names = ["a", "b", "c"]
    samples = pd.DataFrame({"sample_id": names, "patient_id": ["p", "p", "q"], "study_id": names, "path": "x.png"})
    boxes = pd.DataFrame(
        [("b", "nodule", 1.5, 2, 30, 40), ("a", "opacity", 0, 0, 9, 9), ("b", "opacity", 3, 4, 5, 6)],
        columns=["sample_id", "label", "x1", "y1", "x2", "y2"],
    )
    data = Radiographs("made_up", Path("somewhere"), samples, LABELS, False, boxes=boxes)
    sizes = np.array([[10, 20], [50, 60], [70, 80]])
    found = [
        Detections(np.array([], int), np.array([], int), np.empty((0, 4)), np.array([])),
        Detections(np.array([1, 1]), np.array([1, 0]), np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]]), np.array([0.9, 0.4])),
    ]
    made = predictions_of(data, np.array([2, 1]), true_boxes(data, LABELS, sizes), found, LABELS)
    assert made.table["sample_id"].tolist() == ["c", "b"]
    assert made.table[["height", "width"]].to_numpy().tolist() == [[70, 80], [50, 60]]
    assert [each.tolist() for each in made.table["truth"]] == [[], [1.5, 2, 30, 40, 3, 4, 5, 6]]
    assert [each.tolist() for each in made.table["truth_labels"]] == [[], [1, 0]]
    assert [each.tolist() for each in made.table["boxes"]] == [[], [1, 2, 3, 4, 5, 6, 7, 8]]
    assert [each.tolist() for each in made.table["scores"]] == [[], [0.9, 0.4]]
    assert [each.tolist() for each in made.table["box_labels"]] == [[], [1, 0]]
    assert detections_of(made).image.tolist() == [1, 1]
    assert truth_of(made).boxes.tolist() == [[1.5, 2, 30, 40], [3, 4, 5, 6]]
    assert truth_of(made).image.tolist() == [1, 1]


@pytest.mark.parametrize(
    "made", [random_predictions(1), predictions(("p", [], []), ("q", [], []))], ids=["some", "none"]
)
def test_parquet_keeps_types_and_bits(made: Predictions, tmp_path: Path) -> None:
    made.write(tmp_path / "predictions.parquet")
    read = Predictions.read(tmp_path / "predictions.parquet")
    assert read.labels == made.labels
    assert list(read.table.columns) == list(made.table.columns)
    for name, dtype in RAGGED.items():
        assert {str(np.asarray(each).dtype) for each in read.table[name]} == {dtype}
        assert all(map(np.array_equal, made.table[name], read.table[name]))
    assert read.table["height"].dtype == np.int64
    for of in (detections_of, truth_of):
        assert np.array_equal(of(made).boxes, of(read).boxes)
        assert of(read).label.dtype == np.int64


def test_repeated_rows_keep_their_boxes() -> None:
    made = random_predictions(1, n=3)
    twice = made.repeated(np.array([0, 2, 1]))
    assert [each.tolist() for each in twice.table["boxes"]] == [made.table["boxes"][row].tolist() for row in (1, 1, 2)]
    assert twice.table["sample_id"].is_unique


def test_predictions_in_another_order_are_aligned() -> None:
    a, b = random_predictions(1), random_predictions(2)
    shuffled = Predictions(b.table.sample(frac=1, random_state=0, ignore_index=True), b.labels, False)
    assert pair_detection(a, shuffled)[1].table["sample_id"].tolist() == a.table["sample_id"].tolist()


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("truth", np.array([1.0, 2, 3, 5]), "disagree on the truth"),
        ("truth_labels", np.array([1]), "disagree on the labels of the true boxes of 1 test images"),
        ("truth_crowd", np.array([True]), "disagree on the crowds among the true boxes of 1 test images"),
        ("width", 301, "disagree on the widths of 1 test images"),
    ],
)
def test_another_truth_is_refused(column: str, value: object, words: str) -> None:
    a, b = (predictions(("p", [(0, (1, 2, 3, 4))], []), ("q", [], [])) for _ in range(2))
    b.table[column] = pd.Series([value, b.table[column][1]])
    with pytest.raises(RefusedError, match=words):
        pair_detection(a, b)
