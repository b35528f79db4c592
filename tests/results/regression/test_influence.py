"""Influences against hand counts and against DeLong's clustered variance."""

from __future__ import annotations

import numpy as np
import pytest

from cxrbench.results.regression.influence import MOST_GROUPS, scored
from cxrbench.stats.macro_auc import macro_auc_test
from cxrbench.tasks.predictions import Predictions
from cxrbench.tasks.registry import tasks

from ..stores import multi_label, single_label


def columns(predictions: Predictions, name: str) -> np.ndarray:
    return np.stack(predictions.table[name].to_list()).astype(float).T


def test_a_decision_weighs_its_distance_from_the_mean_over_the_patients() -> None:
    found = scored(tasks.get("pediatric_pneumonia"), "accuracy", [single_label(0.8, 1, n=50)])
    table = single_label(0.8, 1, n=50).table
    right = (table["truth"] == table["decision"]).to_numpy()
    assert found.values == pytest.approx([right.mean()])
    assert found.influences[0] == pytest.approx((right - right.mean()) / 50)


def test_a_patient_with_two_images_counts_once() -> None:
    found = scored(tasks.get("pediatric_pneumonia"), "accuracy", [single_label(0.8, 1, n=50, images_a_patient=2)])
    table = single_label(0.8, 1, n=50).table
    right = (table["truth"] == table["decision"]).to_numpy()
    assert (found.patients, found.clusters) == (25, 25)
    assert found.influences[0] == pytest.approx((right.reshape(25, 2).mean(axis=1) - right.mean()) / 25)


def test_mean_auc_has_the_variance_of_delong_by_patient() -> None:
    a, b = multi_label(1.0, 1, n=300), multi_label(0.5, 2, n=300)
    found = scored(tasks.get("chexpert"), "auc", [a, b])
    patients = a.table["patient_id"].to_numpy(dtype=str)
    truth = macro_auc_test(columns(a, "truth"), columns(a, "scores"), columns(b, "scores"), patients)
    difference = found.influences[0] - found.influences[1]
    clusters = found.clusters
    assert clusters == 150
    assert found.values[0] - found.values[1] == pytest.approx(truth.estimate, abs=1e-12)
    se = np.sqrt(clusters / (clusters - 1) * (difference**2).sum())
    assert se == pytest.approx((truth.ci_high - truth.ci_low) / 2 / 1.959964, rel=0.03)


def test_many_patients_are_taken_in_groups() -> None:
    found = scored(tasks.get("pediatric_pneumonia"), "accuracy", [single_label(0.8, 1, n=1000)])
    assert (found.patients, found.clusters) == (1000, MOST_GROUPS)
    se = np.sqrt(MOST_GROUPS / (MOST_GROUPS - 1) * (found.influences**2).sum())
    assert se == pytest.approx(np.sqrt(0.8 * 0.2 / 1000), rel=0.2)


def test_a_metric_without_an_array_form_has_influences_too() -> None:
    task, one = tasks.get("pediatric_pneumonia"), single_label(0.8, 1, n=30)
    found = scored(task, "log_loss", [one])
    truth = columns(one, "scores").T[np.arange(30), one.table["truth"]]
    loss = -np.log(truth)
    assert found.influences[0] == pytest.approx((loss - loss.mean()) / 30)


def test_an_undefined_metric_is_nan_without_influence() -> None:
    one = single_label(0.8, 1, n=30)
    table = one.table.assign(truth=0)
    found = scored(tasks.get("pediatric_pneumonia"), "auc", [Predictions(table, one.labels, True)])
    assert np.isnan(found.values).all()
    assert not found.influences.any()
