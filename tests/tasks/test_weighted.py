"""Array forms of metrics against scoring repeated rows."""

from __future__ import annotations

import numpy as np
import pytest

from cxrbench.stats import auc
from cxrbench.tasks.classification.weighted import weighted_metric
from cxrbench.tasks.predictions import Predictions
from cxrbench.tasks.registry import tasks
from cxrbench.tasks.task import Task

from ..results.stores import multi_label, single_label

SINGLE = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "brier", "log_loss", "auc", "f1/viral")
BINARY = ("binary_accuracy", "binary_auc")
MULTI = ("accuracy", "precision", "recall", "f1", "brier", "recall/Edema", "auc", "auc_all", "auc/Edema")


def unknown_here_and_there(predictions: Predictions) -> Predictions:
    truth = np.stack(predictions.table["truth"].to_list())
    truth[::7, 1] = np.nan
    return Predictions(predictions.table.assign(truth=list(truth)), predictions.labels, False)


@pytest.mark.parametrize(
    ("task", "predictions", "metric"),
    [
        *(("pediatric_pneumonia", single_label(0.7, 3), metric) for metric in (*SINGLE, *BINARY)),
        *(("chexpert", unknown_here_and_there(multi_label(1.0, 3)), metric) for metric in MULTI),
    ],
)
def test_array_forms_score_as_repeated_rows_do(task: str, predictions: Predictions, metric: str) -> None:
    labels = tasks.get(task).settings.labels  # type: ignore[attr-defined]
    array_form = weighted_metric(predictions, metric, labels.main, labels.view)
    assert array_form is not None
    weights = np.random.default_rng(1).multinomial(len(predictions.table), np.full(120, 1 / 120), size=5)
    weights = np.concatenate([np.ones((1, 120), dtype=weights.dtype), weights])
    slow = Task.weighted(tasks.get(task), predictions, metric)(weights)
    np.testing.assert_allclose(array_form(weights), slow, rtol=1e-12)
    assert array_form(weights)[0] == pytest.approx(tasks.get(task).score(predictions)[metric], rel=1e-12)


def test_copies_of_a_study_are_studies_of_their_own() -> None:
    predictions, task = multi_label(1.0, 3), tasks.get("chexpert")
    of_patients = np.random.default_rng(1).multinomial(60, np.full(60, 1 / 60), size=5)
    weights = np.repeat(of_patients, 2, axis=1)
    array_form = weighted_metric(predictions, "study_auc", task.settings.labels.main)  # type: ignore[attr-defined]
    assert array_form is not None
    values = array_form(weights)
    np.testing.assert_allclose(values, Task.weighted(task, predictions, "study_auc")(weights), rtol=1e-12)
    # By hand: the highest of a study's two images, each study as often as its patient was drawn.
    truth, scores = (np.stack(predictions.table[name].to_list()) for name in ("truth", "scores"))
    highest = [each.reshape(60, 2, -1).max(axis=1) for each in (truth, scores)]
    by_hand = [
        np.mean([auc(*(np.repeat(each[:, label], times) for each in highest)) for label in range(5)])
        for times in of_patients
    ]
    np.testing.assert_allclose(values, by_hand, rtol=1e-12)


def test_a_resample_without_a_class_is_undefined() -> None:
    predictions = single_label(0.7, 3)
    only_one_class = (predictions.table["truth"] == 0).to_numpy().astype(np.int64)[None]
    area = weighted_metric(predictions, "auc/normal")
    assert area is not None
    assert np.isnan(area(only_one_class)).all()


def test_metrics_without_an_array_form_say_so() -> None:
    assert weighted_metric(single_label(0.7, 3), "calibration_error") is None
