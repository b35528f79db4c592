from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cxrbench.foundation.errors import RefusedError, UserError
from cxrbench.results.figures.roc_lines import (
    DELONG,
    OVER_PATIENTS,
    OVER_REPLICATES,
    averaged_over,
    roc_lines,
    shown_labels,
)
from cxrbench.stats import delong_ci
from cxrbench.tasks.predictions import Predictions
from cxrbench.tasks.registry import tasks

from ..stores import LABELS, multi_label, single_label


def test_a_single_label_of_one_trial_has_delongs_interval_clustered_by_patient() -> None:
    task, predictions = tasks.get("chexpert"), multi_label(1.0, seed=1)
    (line,) = roc_lines(task, {"a": [predictions]}, 1.0, "Edema")
    column = LABELS.index("Edema")
    truth, score = predictions.array("truth")[:, column], predictions.array("scores")[:, column]
    expected = delong_ci(truth, score, groups=predictions.table["patient_id"].to_numpy())
    assert (line.ci_low, line.ci_high) == (expected.ci_low, expected.ci_high)
    assert line.area == pytest.approx(expected.estimate)
    assert (line.interval, line.defined, line.replicates) == (DELONG, 1, 1)


def test_the_mean_over_labels_and_replicates_is_that_of_the_records() -> None:
    task = tasks.get("chexpert")
    replicates = [multi_label(1.0, seed=seed) for seed in (1, 2, 3)]
    (line,) = roc_lines(task, {"a": replicates}, 0.1)
    values = np.array([task.score(each)["auc"] for each in replicates], dtype=float)
    assert line.area == pytest.approx(np.mean(values), abs=1e-12)
    assert line.curve is not None
    assert line.curve.area == pytest.approx(line.area, abs=1e-12)
    assert line.interval == OVER_REPLICATES
    assert None not in (line.ci_low, line.area, line.ci_high)
    assert sorted((line.ci_low, line.area, line.ci_high)) == [line.ci_low, line.area, line.ci_high]  # type: ignore[type-var]


def test_classes_are_each_against_the_rest() -> None:
    task, predictions = tasks.get("pediatric_pneumonia"), single_label(0.7, seed=1)
    (line,) = roc_lines(task, {"a": [predictions]}, 1.0)
    assert line.area == pytest.approx(task.score(predictions)["auc"], abs=1e-12)
    assert line.interval == OVER_PATIENTS
    (line,) = roc_lines(task, {"a": [predictions]}, 1.0, "viral")
    assert line.area == pytest.approx(task.score(predictions)["auc/viral"], abs=1e-12)
    assert averaged_over(task, predictions, "viral") == ["The class against the rest."]


def test_a_label_without_scores_is_undefined_and_a_replicate_without_is_left_out() -> None:
    task, whole = tasks.get("chexpert"), multi_label(1.0, seed=1)
    scores = [row * [np.nan, 1, 1, 1, 1] for row in whole.table["scores"]]
    lacking = Predictions(whole.table.assign(scores=scores), whole.labels, False)
    a, b = roc_lines(task, {"a": [lacking], "b": [whole, lacking]}, 1.0, LABELS[0])
    assert (a.area, a.curve, a.ci_low, a.defined) == (None, None, None, 0)
    assert (b.defined, b.replicates, b.ci_low) == (1, 2, None)
    assert b.area == task.score(whole)[f"auc/{LABELS[0]}"]


def test_what_has_no_roc_curve_is_one_line() -> None:
    with pytest.raises(UserError, match="--label: unknown label of chexpert 'Odema'; did you mean 'Edema'"):
        shown_labels(tasks.get("chexpert"), multi_label(1.0, seed=1), "Odema")
    predictions = multi_label(1.0, seed=1)
    boxes = pd.Series([np.zeros(4 * (row % 3)) for row in range(len(predictions.table))], dtype=object)
    of_boxes = Predictions(predictions.table.assign(truth=boxes), ("opacity",), False)
    with pytest.raises(UserError, match="--task siim_acr: its predictions are not scores of labels"):
        shown_labels(tasks.get("siim_acr"), of_boxes, None)


def test_other_test_images_are_refused() -> None:
    predictions = {"a": [multi_label(1.0, seed=1)], "b": [multi_label(1.0, seed=1, n=100)]}
    with pytest.raises(RefusedError, match="the test sets differ in 20 samples"):
        roc_lines(tasks.get("chexpert"), predictions, 1.0)


def test_notes_name_a_few_labels_and_count_many() -> None:
    task, predictions = tasks.get("chexpert"), multi_label(1.0, seed=1)
    assert averaged_over(task, predictions, None) == [f"Mean over labels: {', '.join(LABELS)}."]
    assert averaged_over(task, predictions, "Edema") == []
    classes = averaged_over(tasks.get("pediatric_pneumonia"), single_label(0.5, seed=1), None)
    assert classes == ["Mean over classes, each against the rest: normal, bacterial, viral."]
    many = Predictions(predictions.table, tuple(f"label {number}" for number in range(9)), False)
    assert averaged_over(tasks.get("nih14"), many, None) == ["Mean over 9 labels."]
