from __future__ import annotations

import numpy as np
import pytest

from cxrbench.stats.average_precision.boxes import overlaps

from .arrays import as_detections, as_truth

BOX = [[0.0, 0.0, 10.0, 20.0]]


def test_area_is_that_of_the_box_unless_given() -> None:
    assert as_truth([0], [0], BOX).area.tolist() == [200.0]
    assert as_truth([0], [0], BOX, area=[7]).area.tolist() == [7.0]
    assert as_truth([0], [0], BOX).crowd.tolist() == [False]


def test_lists_without_boxes_are_taken() -> None:
    empty = as_detections([], [], [], [])
    assert empty.boxes.shape == (0, 4)
    assert empty.image.dtype == np.int64
    assert as_truth([], [], []).area.shape == (0,)


@pytest.mark.parametrize("score", [np.nan, np.inf])
def test_scores_that_are_no_numbers_are_refused_by_row(score: float) -> None:
    with pytest.raises(ValueError, match=r"detections: scores of row 1 is not a finite number \(1 such rows\)"):
        as_detections([0, 0], [0, 0], BOX * 2, [0.5, score])


def test_boxes_are_checked() -> None:
    with pytest.raises(ValueError, match=r"box .* of row 1 is inverted"):
        as_truth([0, 0], [0, 0], [*BOX, [5.0, 0.0, 4.0, 1.0]])
    with pytest.raises(ValueError, match="boxes of row 0 is not a finite number"):
        as_detections([0], [0], [[0.0, np.nan, 1.0, 1.0]], [0.5])
    with pytest.raises(ValueError, match=r"boxes \[1, 3\] must be \[1, 4\]"):
        as_truth([0], [0], [[0.0, 0.0, 1.0]])
    with pytest.raises(ValueError, match=r"scores \[2\] must be \[1\]"):
        as_detections([0], [0], BOX, [0.5, 0.4])
    with pytest.raises(ValueError, match="truth: label must be whole numbers, not float64"):
        as_truth([0], [0.5], BOX)
    with pytest.raises(ValueError, match="truth: area of row 0"):
        as_truth([0], [0], BOX, area=[np.nan])


def test_overlap_of_a_crowd_is_over_the_found_box() -> None:
    found, true = np.array([[0.0, 0, 10, 10]] * 3), np.array([[0.0, 0, 10, 40], [0, 0, 10, 40], [10, 0, 20, 10]])
    # 100 of 400 shared; all of the found box; sides that only touch.
    assert overlaps(found, true, np.array([False, True, False])).tolist() == [0.25, 1.0, 0.0]
