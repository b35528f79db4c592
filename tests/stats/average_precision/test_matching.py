from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.random_detections import pycocotools_numbers, random_set
from cxrbench.stats.average_precision import METRICS, Detections, Truth, match

from .arrays import as_detections, as_truth

SQUARE = [0.0, 0.0, 100.0, 100.0]
# One in floats: pycocotools adds 2^-52 to every denominator.
ONE = pytest.approx(1.0, abs=1e-15)
ELSEWHERE = [500.0, 500.0, 600.0, 600.0]


def found(*rows: tuple[int, list[float], float], label: int = 0) -> Detections:
    """Detections from image, box and score."""
    image, boxes, scores = zip(*rows, strict=True)
    return Detections(np.array(image), np.full(len(rows), label), np.array(boxes), np.array(scores))


def truth_of(*rows: tuple[int, list[float]], **fields: Any) -> Truth:
    image, boxes = zip(*rows, strict=True)
    return Truth(np.array(image), np.zeros(len(rows), dtype=int), np.array(boxes), **fields)


# `python benchmarks/bench_average_precision.py --random-sets 1000` goes on from here.
@pytest.mark.parametrize("seed", range(100))
def test_numbers_are_those_of_pycocotools_to_the_last_bit(seed: int) -> None:
    given = random_set(np.random.default_rng(seed))
    expected, precisions = pycocotools_numbers(given)
    matches = match(*given)
    assert matches.summary() == expected
    for metric, threshold in (("map", slice(None)), ("map50", 0)):
        for label, value in enumerate(matches.by_label(metric)):
            defined = precisions[threshold, :, label]
            defined = defined[defined > -1]
            assert value == (float(np.mean(defined)) if len(defined) else None)


def test_the_random_sets_hold_every_trap() -> None:
    sets = [random_set(np.random.default_rng(seed)) for seed in range(100)]
    summaries = [match(*given).summary() for given in sets]
    ties = [len(np.unique(f.scores)) < len(f.scores) for f, *_ in sets]
    assert 20 < sum(ties) < 80
    assert any(len(f.image) == 0 and len(t.image) for f, t, *_ in sets)
    assert any(len(t.image) == 0 and len(f.image) for f, t, *_ in sets)
    assert any(t.crowd.any() for _, t, *_ in sets)
    assert any(set(f.image.tolist()) - set(t.image.tolist()) for f, t, *_ in sets)
    assert any(np.bincount(f.image * 9 + f.label, minlength=1).max(initial=0) > 100 for f, *_ in sets)
    assert any(np.isin(t.area, (32.0**2, 96.0**2)).any() for _, t, *_ in sets)
    assert any(s["map"] is not None and s["map_small"] is None for s in summaries)
    # Neither all right nor all wrong.
    assert sum(0.01 < (s["map"] or 0) < 0.99 for s in summaries) > 50


def test_a_false_positive_on_an_image_without_boxes_counts() -> None:
    truth = truth_of((0, SQUARE), (1, SQUARE))
    right = [(0, SQUARE, 0.9), (1, SQUARE, 0.7)]
    assert match(found(*right), truth, 3, 1).summary()["map"] == ONE
    # Above both: 1 of 2, then 2 of 3 right, so two thirds at every recall.
    given = found(*right, (2, ELSEWHERE, 0.99)), truth, 3, 1
    assert match(*given).summary() == pycocotools_numbers(given)[0]
    assert match(*given).summary()["map"] == pytest.approx(2 / 3)
    # Between them: precision 1 up to recall 0.5 (51 of 101 recalls), then 2 of 3.
    between = match(found(*right, (2, ELSEWHERE, 0.8)), truth, 3, 1)
    assert between.summary()["map"] == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_no_detections_at_all_is_zero() -> None:
    summary = match(as_detections([], [], [], []), truth_of((0, SQUARE)), 2, 1).summary()
    assert summary["map"] == summary["map_large"] == summary["ar100"] == 0.0
    assert summary["map_small"] is None


def test_without_true_boxes_all_is_undefined_and_in_no_mean() -> None:
    nothing = match(found((0, SQUARE, 0.9)), as_truth([], [], []), 1, 1)
    assert nothing.summary() == dict.fromkeys(METRICS)
    # The second label has detections and no true box.
    both = as_detections([0, 0], [0, 1], [SQUARE, SQUARE], [0.9, 0.9])
    matches = match(both, truth_of((0, SQUARE)), 1, 2)
    assert matches.summary()["map"] == ONE
    assert matches.by_label("map") == [ONE, None]


def test_no_number_of_a_box_is_special() -> None:
    """pycocotools takes a match with the true box of id 0 for none."""
    boxes = [[x, 0.0, x + 50, 50.0] for x in (0.0, 100.0)]
    truth = truth_of((0, boxes[0]), (0, boxes[1]))
    given = found((0, boxes[0], 0.9), (0, boxes[1], 0.8)), truth, 1, 1
    assert match(*given).summary()["map"] == ONE
    assert pycocotools_numbers(given, first_id=1)[0]["map"] == ONE
    # The first counts as wrong: half of the boxes at precision a half, 51 of 101 recalls.
    assert pycocotools_numbers(given, first_id=0)[0]["map"] == pytest.approx(51 * 0.5 / 101)


def test_a_hundred_detections_of_an_image_and_label_count() -> None:
    wrong = [(0, ELSEWHERE, 0.9)] * 100
    truth = truth_of((0, SQUARE))
    assert match(found(*wrong, (0, SQUARE, 0.1)), truth, 1, 1).summary()["ar100"] == 0.0
    summary = match(found(*wrong[:99], (0, SQUARE, 0.1)), truth, 1, 1).summary()
    assert (summary["ar1"], summary["ar10"], summary["ar100"]) == (0.0, 0.0, 1.0)
    # Those of another label or image have a hundred of their own.
    others = as_detections([1] * 100 + [0] * 101, [0] * 100 + [1] * 100 + [0], [SQUARE] * 201, [0.9] * 201)
    assert match(others, truth, 2, 2).summary()["ar100"] == 1.0


@pytest.mark.parametrize(
    ("area", "sizes"),
    [
        (1023.0, {"small"}),
        (1024.0, {"small", "medium"}),
        (1025.0, {"medium"}),
        (9216.0, {"medium", "large"}),
        (9217.0, {"large"}),
    ],
)
def test_the_area_field_decides_about_size(area: float, sizes: set[str]) -> None:
    summary = match(found((0, SQUARE, 0.9)), truth_of((0, SQUARE), area=[area]), 1, 1).summary()
    assert {size for size in ("small", "medium", "large") if summary[f"map_{size}"] == ONE} == sizes
    assert summary["map"] == ONE


def test_ties_are_settled_by_the_order_of_detections() -> None:
    truth = truth_of((0, SQUARE))
    first_right = match(found((0, SQUARE, 0.5), (0, ELSEWHERE, 0.5)), truth, 1, 1).summary()["map"]
    first_wrong = match(found((0, ELSEWHERE, 0.5), (0, SQUARE, 0.5)), truth, 1, 1).summary()["map"]
    assert (first_right, first_wrong) == (ONE, pytest.approx(0.5))


def test_crowds_take_any_number_of_detections_without_counting() -> None:
    truth = truth_of((0, SQUARE), (0, ELSEWHERE), crowd=[False, True])
    inside = [ELSEWHERE[0], ELSEWHERE[1], ELSEWHERE[0] + 30, ELSEWHERE[1] + 30]
    given = found((0, inside, 0.9), (0, inside, 0.8), (0, SQUARE, 0.7)), truth, 1, 1
    matches = match(*given)
    assert matches.summary() == pycocotools_numbers(given)[0]
    assert matches.summary()["map"] == ONE
    assert matches.n_true[0].sum() == 1


def test_the_last_of_equal_overlaps_is_taken() -> None:
    """A detection between two true boxes takes the second, and leaves the first to the next detection."""
    truth = truth_of((0, [0.0, 0, 100, 100]), (0, [0.0, 50, 100, 150]))
    between = [0.0, 25.0, 100.0, 125.0]
    matches = match(found((0, between, 0.9), (0, [0.0, 0, 100, 90], 0.8)), truth, 1, 1)
    assert matches.true[0, 0].tolist() == [True, True]
    matches = match(found((0, between, 0.9), (0, [0.0, 60, 100, 150], 0.8)), truth, 1, 1)
    assert matches.true[0, 0].tolist() == [True, False]


@pytest.mark.parametrize(("left", "right", "expected"), [(12.6, 18.0, 1.0), (2.2, 6.1, 0.0)])
def test_overlaps_of_a_half_round_as_those_of_pycocotools(left: float, right: float, expected: float) -> None:
    """Boxes three steps wide, a step apart: by corners alone, a half would fall on the other side in both."""
    width = {12.6: 16.2, 2.2: 11.7}[left]
    boxes = [[x, 0.0, round(x + width, 1), 10.0] for x in (left, right)]
    given = found((0, boxes[1], 0.9)), truth_of((0, boxes[0])), 1, 1
    assert match(*given).value("map50") == pytest.approx(expected)
    assert match(*given).summary() == pycocotools_numbers(given)[0]


def test_numbers_beyond_the_lists_are_refused() -> None:
    with pytest.raises(ValueError, match="detections: image 3 of row 0 is not one of 0 to 1"):
        match(found((3, SQUARE, 0.5)), truth_of((0, SQUARE)), 2, 1)
    with pytest.raises(ValueError, match="truth: image 1 of row 0 is not one of 0 to 0"):
        match(found((0, SQUARE, 0.5)), truth_of((1, SQUARE)), 1, 1)
    with pytest.raises(ValueError, match="detections: label 1 of row 0 is not one of 0 to 0"):
        match(found((0, SQUARE, 0.5), label=1), truth_of((0, SQUARE)), 1, 1)


def test_many_pairs_are_matched_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    given = random_set(np.random.default_rng(12))
    expected = match(*given).summary()
    monkeypatch.setattr("cxrbench.stats.average_precision.matching._PAIRS", 7)
    assert match(*given).summary() == expected
