"""Detection metrics of whole trials, their weighted forms, and the comparison of two."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cxrbench.stats import bootstrap_ci
from cxrbench.tasks.detection.compare import compare_detection
from cxrbench.tasks.detection.scores import MEANINGS, matched, score
from cxrbench.tasks.detection.task import METRICS
from cxrbench.tasks.detection.weighted import weighted_metric

from .made_up import predictions, random_predictions

HERE, THERE = (10, 10, 110, 110), (150, 150, 190, 190)


def test_every_metric_has_a_direction_and_a_meaning() -> None:
    assert set(MEANINGS) == set(METRICS)
    assert next(iter(METRICS)) == "map50"


def test_metrics_are_the_hand_worked_ones() -> None:
    made = predictions(
        # Found at IoU 0.8; then one that is not there.
        ("p", [(0, HERE)], [(0.9, 0, (10, 10, 110, 90)), (0.7, 0, THERE)]),
        # The other one is missed.
        ("q", [(0, THERE)], []),
        # A normal image with a false alarm of a higher score than all.
        ("r", [], [(0.95, 0, HERE)]),
        labels=("opacity",),
    )
    metrics = score(made)
    # One of two is found, after one false alarm: precision 1/2 up to recall 1/2, which 51 of 101 recalls reach.
    assert metrics["map50"] == pytest.approx(51 / 101 / 2)
    assert metrics["map75"] == metrics["map50"]
    # IoU 0.8 counts at 0.50, 0.55, ..., 0.80: seven of ten overlaps.
    assert metrics["map"] == pytest.approx(0.7 * 51 / 101 / 2)
    assert metrics["ar100"] == pytest.approx(0.7 / 2)
    # 40 x 40 is medium and missed, 100 x 100 is large.
    assert (metrics["map_small"], metrics["map_medium"]) == (None, 0.0)
    assert metrics["map_large"] == pytest.approx(0.7 / 2)
    assert list(metrics) == list(METRICS)


def test_nothing_found_is_0_and_nothing_there_is_undefined() -> None:
    metrics = score(predictions(("p", [(0, HERE)], []), ("q", [], []), labels=("opacity",)))
    assert (metrics["map50"], metrics["map"], metrics["ar100"]) == (0.0, 0.0, 0.0)
    metrics = score(predictions(("p", [], [(0.9, 0, HERE)]), labels=("opacity",)))
    assert set(metrics.values()) == {None}


def test_what_is_found_in_a_crowd_is_neither_right_nor_wrong() -> None:
    made = predictions(
        ("p", [(0, HERE), (0, THERE)], [(0.9, 0, THERE), (0.8, 0, (150, 150, 190, 180)), (0.5, 0, HERE)]),
        labels=("opacity",),
    )
    assert score(made)["map50"] == pytest.approx(0.83, abs=0.01)
    made.table["truth_crowd"] = pd.Series([np.array([False, True])])
    assert score(made)["map50"] == pytest.approx(1)


def test_several_labels_have_a_value_each_and_their_mean() -> None:
    made = predictions(("p", [(0, HERE), (1, THERE)], [(0.9, 0, HERE), (0.8, 0, THERE)]))
    metrics = score(made)
    assert metrics["map50/opacity"] == pytest.approx(1)
    assert metrics["map50/nodule"] == 0
    assert metrics["map50"] == pytest.approx(0.5)
    assert matched(made, "nodule").summary()["map50"] == 0.0


@pytest.mark.parametrize("metric", [*METRICS, "map50/nodule"])
def test_weights_say_what_repeated_rows_say(metric: str) -> None:
    made = random_predictions(3)
    weights = np.random.default_rng(0).integers(0, 3, size=(5, len(made.table)))
    values = weighted_metric(made, metric)
    assert values is not None
    by_repeating = [score(made.repeated(each))[metric] for each in weights]
    found = [None if np.isnan(value) else value for value in values(weights)]
    assert found == pytest.approx(by_repeating, abs=1e-12)


def test_a_metric_without_a_weighted_form_has_none() -> None:
    made = random_predictions(3, n=4)
    assert all(weighted_metric(made, name) is None for name in ("accuracy", "map/nodule", "map50/mass"))


def test_a_better_detector_is_told_from_a_worse_and_not_from_itself() -> None:
    better, worse = random_predictions(1, 60, 0.95, 40), random_predictions(2, 60, 0.3, 40)
    found = {each.metric: each for each in compare_detection(better, worse, ("pool t", "permutation"))}
    assert set(found) == {*METRICS, "map50/opacity", "map50/nodule"}
    for metric in ("map50", "map", "map50/opacity", "map50/nodule"):
        (test,) = found[metric].tests
        assert (test.name, test.subject, test.unit, test.n, test.decides) == ("permutation", metric, "images", 60, True)
        assert test.estimate == pytest.approx(found[metric].difference, abs=1e-12)
        assert test.p_value is not None
        assert test.p_value < 0.01
    one = found["map50"]
    assert (one.patients, one.only_a_right, found["map75"].tests) == (40, None, ())
    assert one.difference == pytest.approx((one.value_a or 0) - (one.value_b or 0))
    same = compare_detection(better, better, ("permutation",))[0]
    assert (same.difference, same.tests[0].p_value) == (0.0, 1.0)
    assert compare_detection(better, worse, ())[0].tests == ()


def test_the_interval_over_patients_holds_the_difference() -> None:
    a, b = random_predictions(1), random_predictions(2, skill=0.5)
    of_a, of_b = weighted_metric(a, "map50"), weighted_metric(b, "map50")
    assert of_a is not None
    assert of_b is not None
    result = bootstrap_ci(lambda weights: of_a(weights) - of_b(weights), weighted=True, groups=a.patients())
    assert result.ci_low < result.estimate < result.ci_high
    assert result.estimate == pytest.approx((score(a)["map50"] or 0) - (score(b)["map50"] or 0))
