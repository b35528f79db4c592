"""True boxes on their way from a dataset into the network's pixels, and what is wrong with some."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrbench.data.radiographs import Radiographs
from cxrbench.foundation.errors import UserError
from cxrbench.tasks.detection.targets import check_boxes, true_boxes

LABELS = ("opacity", "nodule")
# Height and width.
SIZES = np.array([[100, 200], [50, 50], [400, 300]])


def radiographs(*boxes: tuple[str, str, float, float, float, float]) -> Radiographs:
    names = ["a", "b", "c"]
    samples = pd.DataFrame(
        {"sample_id": names, "patient_id": names, "study_id": names, "path": [f"{n}.png" for n in names]}
    )
    table = pd.DataFrame(boxes, columns=["sample_id", "label", "x1", "y1", "x2", "y2"])
    return Radiographs("made_up", Path("somewhere"), samples, LABELS, False, boxes=table)


def test_boxes_are_sorted_by_sample_and_scaled_by_width_and_height() -> None:
    data = radiographs(
        ("c", "nodule", 30, 40, 60, 200), ("a", "opacity", 100, 25, 200, 50), ("c", "opacity", 0, 0, 300, 400)
    )
    found = true_boxes(data, LABELS, SIZES)
    assert found.first.tolist() == [0, 1, 1, 3]
    assert found.labels.tolist() == [0, 1, 0]
    assert found.boxes.dtype == np.float64
    # x by 64 / width, y by 64 / height.
    assert found.in_network(64)[0].tolist() == [32, 16, 64, 32]
    np.testing.assert_allclose(found.in_network(64)[1], [6.4, 6.4, 12.8, 32], rtol=1e-15)
    assert found.in_network(64)[2].tolist() == [0, 0, 64, 64]
    assert found.of(2) == slice(1, 3)


def test_boxes_of_chosen_rows_are_numbered_by_place() -> None:
    data = radiographs(("c", "nodule", 30, 40, 60, 200), ("a", "opacity", 1, 2, 3, 4))
    truth = true_boxes(data, LABELS, SIZES).among(np.array([2, 1, 0]))
    assert truth.image.tolist() == [0, 2]
    assert truth.label.tolist() == [1, 0]
    assert truth.boxes.tolist() == [[30, 40, 60, 200], [1, 2, 3, 4]]
    assert len(true_boxes(data, LABELS, SIZES).among(np.array([1])).image) == 0


def test_crowds_are_told_apart() -> None:
    data = radiographs(("c", "nodule", 30, 40, 60, 200), ("a", "opacity", 1, 2, 3, 4))
    assert data.boxes is not None
    assert true_boxes(data, LABELS, SIZES).crowd.tolist() == [False, False]
    data = replace(data, boxes=data.boxes.assign(crowd=[True, False]))
    found = true_boxes(data, LABELS, SIZES)
    assert found.crowd.tolist() == [False, True]
    assert found.among(np.array([2, 0])).crowd.tolist() == [True, False]


def test_labels_that_are_not_asked_for_and_samples_that_are_not_there_are_left_out() -> None:
    data = radiographs(("b", "opacity", 1, 1, 5, 5), ("a", "nodule", 1, 2, 3, 4), ("gone", "nodule", 1, 2, 3, 4))
    found = true_boxes(data, ("nodule",), SIZES)
    assert found.boxes.tolist() == [[1, 2, 3, 4]]
    assert found.labels.tolist() == [0]


def test_a_corner_up_to_a_pixel_outside_is_clipped() -> None:
    found = true_boxes(radiographs(("a", "opacity", -1, -0.5, 201, 60)), LABELS, SIZES)
    assert found.boxes.tolist() == [[0, 0, 200, 60]]


@pytest.mark.parametrize(
    "corners", [(-1.5, 0, 10, 10), (0, 0, 202, 10), (0, 10, 10, 101.5), (200, 0, 200.9, 10), (500, 0, 600, 10)]
)
def test_a_box_outside_its_image_is_named_with_file_and_way_out(corners: tuple[float, float, float, float]) -> None:
    with pytest.raises(UserError, match="lies outside its image of 200 x 100 pixels") as error:
        true_boxes(radiographs(("b", "nodule", 1, 1, 2, 2), ("a", "opacity", *corners)), LABELS, SIZES)
    words = str(error.value)
    assert f"made_up: sample a ({Path('somewhere/a.png')}): the box opacity at ({corners[0]:g}, " in words
    assert "correct it in the dataset's annotations" in words
    assert "\n" not in words


@pytest.mark.parametrize(
    ("corners", "what"),
    [
        ((20, 10, 10, 30), "is inverted or has no area"),
        ((10, 30, 20, 30), "is inverted or has no area"),
        ((10, float("nan"), 20, 30), "not a number"),
    ],
)
def test_a_box_that_is_none_is_found_before_any_image_is_read(
    corners: tuple[float, float, float, float], what: str
) -> None:
    with pytest.raises(UserError, match=what) as error:
        check_boxes(radiographs(("b", "nodule", 1, 1, 2, 2), ("c", "opacity", *corners)), LABELS)
    assert "sample c (" in str(error.value)


def test_a_dataset_without_boxes_says_so() -> None:
    with pytest.raises(UserError, match="detection needs a dataset with boxes"):
        check_boxes(replace(radiographs(), boxes=None), LABELS)
    with pytest.raises(UserError, match=r"no box of opacity, nodule in .*; labels that have boxes: mass"):
        check_boxes(radiographs(("a", "mass", 1, 1, 2, 2)), LABELS)


def test_a_label_that_nothing_is_called_is_named() -> None:
    data = radiographs(("a", "mass", 1, 1, 2, 2))
    check_boxes(data, ("mass", "nodule"))
    with pytest.raises(UserError, match=r"made_up: labels: .*'?opacty'?.*mass"):
        check_boxes(data, ("mass", "opacty"))
