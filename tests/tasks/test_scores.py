"""Metrics against scikit-learn and hand counts, and what is left blank."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from cxrbench.data.radiographs import Radiographs
from cxrbench.stats.scoring import calibration_error
from cxrbench.tasks.classification.binary_view import BinaryView
from cxrbench.tasks.classification.outcome import limits_of, predictions_of, thresholds_of
from cxrbench.tasks.classification.scores import (
    POSITIVE_AT_95,
    decisions,
    score_multi_label,
    score_single_label,
    undefined_notes,
)
from cxrbench.tasks.classification.task import METRICS
from cxrbench.tasks.predictions import Predictions

A_IS_HEALTHY = BinaryView("a", is_finding=False)


def single(n: int = 200, classes: int = 3, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=n)
    scores = rng.dirichlet(np.ones(classes), n) + 0.5 * np.eye(classes)[truth] * rng.random((n, 1))
    scores /= scores.sum(axis=1, keepdims=True)
    table = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(n)],
            "patient_id": [f"p{i // 2}" for i in range(n)],
            "study_id": [f"p{i // 2}" for i in range(n)],
            "truth": truth,
            "scores": list(scores),
            "decision": scores.argmax(axis=1),
        }
    )
    return Predictions(table, tuple("abcdef"[:classes]), True)


def multi(truth: list[list[float]], scores: list[list[float]], studies: list[str] | None = None) -> Predictions:
    n = len(truth)
    table = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(n)],
            "patient_id": [f"p{i}" for i in range(n)],
            "study_id": studies or [f"p{i}" for i in range(n)],
            "truth": pd.Series([np.array(row, dtype=float) for row in truth]),
            "scores": pd.Series([np.array(row, dtype=float) for row in scores]),
            "decision": pd.Series([np.array(row) >= 0.5 for row in scores]),
        }
    )
    return Predictions(table, tuple("abc"[: len(truth[0])]), False)


def test_single_label_metrics_are_those_of_scikit_learn() -> None:
    predictions = single()
    truth, decision = predictions.table["truth"], predictions.table["decision"]
    scores = np.stack(predictions.table["scores"].to_list())
    found = score_single_label(predictions, A_IS_HEALTHY)
    expected = {
        "accuracy": sk.accuracy_score(truth, decision),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, decision),
        "precision": sk.precision_score(truth, decision, average="macro"),
        "recall": sk.recall_score(truth, decision, average="macro"),
        "f1": sk.f1_score(truth, decision, average="macro"),
        "auc": sk.roc_auc_score(truth, scores, multi_class="ovr", average="macro"),
        "log_loss": sk.log_loss(truth, scores),
        "binary_accuracy": sk.accuracy_score(truth != 0, decision != 0),
        "binary_auc": sk.roc_auc_score(truth != 0, 1 - scores[:, 0]),
        "binary_f1": sk.f1_score(truth != 0, decision != 0),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_the_binary_view_of_a_finding_is_that_finding_against_the_rest() -> None:
    predictions = single()
    truth, decision = predictions.table["truth"] == 1, predictions.table["decision"] == 1
    scores = np.stack(predictions.table["scores"].to_list())
    found = score_single_label(predictions, BinaryView("b", is_finding=True))
    expected = {
        "binary_accuracy": sk.accuracy_score(truth, decision),
        "binary_auc": sk.roc_auc_score(truth, scores[:, 1]),
        "binary_precision": sk.precision_score(truth, decision),
        "binary_recall": sk.recall_score(truth, decision),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    # The same class taken for healthy: the other side is looked for, and the AUC and the accuracy stay.
    turned = score_single_label(predictions, BinaryView("b", is_finding=False))
    assert turned["binary_auc"] == pytest.approx(found["binary_auc"])
    assert turned["binary_accuracy"] == found["binary_accuracy"]
    assert turned["binary_recall"] == pytest.approx(sk.recall_score(~truth, ~decision))


def test_a_label_with_one_class_is_blank_and_left_out_of_the_mean() -> None:
    predictions = multi([[1, 0], [0, 0], [1, 0], [0, 0]], [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.1, 0.4]])
    found = score_multi_label(predictions, ("a", "b"))
    # a: of the four pairs of a positive and a negative, only 0.7 against 0.8 is in the wrong order.
    assert (found["auc/a"], found["auc/b"], found["auc"]) == (0.75, None, 0.75)
    assert undefined_notes(found)[0].endswith("left out of the means: b")


def test_a_label_that_could_not_be_fitted_is_blank() -> None:
    predictions = multi([[1, 1], [0, 0]], [[0.9, np.nan], [0.2, np.nan]])
    found = score_multi_label(predictions, ("a", "b"))
    assert (found["auc/a"], found["auc/b"], found["auc"]) == (1.0, None, 1.0)


def test_a_label_that_could_not_be_fitted_enters_no_mean() -> None:
    predictions = multi([[1, 1], [0, 0]], [[0.9, np.nan], [0.2, np.nan]])
    found = score_multi_label(predictions, ("a", "b"))
    assert (found["accuracy"], found["recall"], found["precision"], found["f1"]) == (1.0, 1.0, 1.0, 1.0)


def test_unknown_truth_counts_for_nothing() -> None:
    known = multi([[1], [0], [0]], [[0.9], [0.95], [0.1]])
    partly = multi([[1], [0], [0], [np.nan]], [[0.9], [0.95], [0.1], [0.99]])
    assert score_multi_label(partly, ("a",)) == score_multi_label(known, ("a",))


def test_only_the_main_labels_enter_the_main_auc() -> None:
    predictions = multi([[1, 1], [0, 0]], [[0.9, 0.1], [0.2, 0.8]])
    found = score_multi_label(predictions, ("a",))
    assert (found["auc"], found["auc_all"]) == (1.0, 0.5)


def test_a_study_has_the_highest_score_of_its_views() -> None:
    # By image one positive ranks below the negative; by study none does.
    predictions = multi([[1], [1], [0]], [[0.9], [0.1], [0.5]], ["u", "u", "v"])
    found = score_multi_label(predictions, ("a",))
    assert (found["auc"], found["study_auc"]) == (0.5, 1.0)


def test_thresholds_maximise_sensitivity_and_specificity() -> None:
    truth = np.array([0, 0, 0, 0, 0, 1, 0, 1, 1, 1, 1], dtype=float)[:, None]
    scores = np.arange(11)[:, None] / 10
    thresholds, chosen = thresholds_of(truth, scores)
    fpr, tpr, cuts = sk.roc_curve(truth[:, 0], scores[:, 0])
    assert thresholds[0] == cuts[np.argmax(tpr - fpr)] == 0.7 or (tpr - fpr).max() == pytest.approx(
        (truth[scores >= thresholds[0]] == 1).sum() / 5 - (truth[scores >= thresholds[0]] == 0).sum() / 6
    )
    assert chosen[0]


def test_too_few_validation_cases_leave_the_threshold_at_one_half() -> None:
    thresholds, chosen = thresholds_of(np.array([[1.0], [0.0], [0.0]]), np.array([[0.2], [0.1], [0.05]]))
    assert (thresholds[0], chosen[0]) == (0.5, False)


def test_single_label_metrics_of_each_class_and_of_probabilities() -> None:
    predictions = single()
    truth, decision = predictions.table["truth"].to_numpy(), predictions.table["decision"].to_numpy()
    scores = np.stack(predictions.table["scores"].to_list())
    found = score_single_label(predictions, None)
    of_class = sk.precision_recall_fscore_support(truth, decision, average=None)
    for name, values in zip(("precision", "recall", "f1"), of_class[:3], strict=True):
        assert [found[f"{name}/{label}"] for label in "abc"] == pytest.approx(np.asarray(values))
    one_vs_rest = [sk.brier_score_loss(truth == index, scores[:, index]) for index in range(3)]
    assert found["brier"] == pytest.approx(sum(one_vs_rest))
    assert found["calibration_error"] == calibration_error(truth == scores.argmax(axis=1), scores.max(axis=1))


def test_multi_label_metrics_of_probabilities_are_means_over_the_main_labels() -> None:
    rng = np.random.default_rng(0)
    truth, scores = rng.integers(2, size=(60, 3)).astype(float), rng.random((60, 3))
    found = score_multi_label(multi(truth.tolist(), scores.tolist()), ("a", "c"))
    briers = [sk.brier_score_loss(truth[:, index], scores[:, index]) for index in (0, 2)]
    assert found["brier"] == pytest.approx(np.mean(briers))
    errors = calibration_error(truth[:, [0, 2]].T, scores[:, [0, 2]].T)
    assert found["calibration_error"] == pytest.approx(errors.mean())
    recalls = [sk.recall_score(truth[:, index], scores[:, index] >= 0.5) for index in range(3)]
    assert [found[f"recall/{label}"] for label in "abc"] == pytest.approx(recalls)


def test_sensitivity_is_that_at_the_limit_from_validation() -> None:
    rng = np.random.default_rng(2)
    validation = np.concatenate([rng.normal(0, 1, 100), rng.normal(2, 1, 30)])
    limit = limits_of(np.repeat([0.0, 1.0], [100, 30])[:, None], validation[:, None])[0]
    assert limit == np.sort(validation[:100])[95]
    truth, scores = [[1.0], [1.0], [1.0], [0.0], [0.0]], [[limit + 1], [limit], [limit + 0.1], [limit - 1], [limit + 1]]
    predictions = multi(truth, scores)
    predictions.table[POSITIVE_AT_95] = pd.Series([np.array(row) > limit for row in scores])
    found = score_multi_label(predictions, ("a",))
    # Of three positives one only reaches the limit and does not exceed it; of two negatives one exceeds it.
    assert found["sensitivity_at_95_specificity"] == pytest.approx(2 / 3)
    assert found["sensitivity_at_95_specificity/a"] == pytest.approx(2 / 3)
    assert found["specificity_reached"] == found["specificity_reached/a"] == 0.5


def test_predictions_hold_what_validation_called_positive() -> None:
    samples = pd.DataFrame({name: list("vwxyz") for name in ("sample_id", "patient_id", "study_id", "path")})
    targets = np.array([[1, 0], [0, 1], [1, 1], [0, 0], [0, 0]], dtype=float)
    samples = samples.assign(split="test", view="frontal", a=targets[:, 0], b=targets[:, 1])
    radiographs = Radiographs("made up", Path("nowhere"), samples, ("a", "b"), exclusive=False)
    scores = np.array([[0.9, 0.1], [0.2, np.nan]])
    limits = np.array([0.5, np.nan])
    predictions = predictions_of(radiographs, np.array([0, 3]), targets, scores, np.full(2, 0.5), limits)
    np.testing.assert_array_equal(np.stack(predictions.table[POSITIVE_AT_95].to_list()), [[1, np.nan], [0, np.nan]])
    without = predictions_of(radiographs, np.array([0, 3]), targets, scores, np.full(2, 0.5))
    assert POSITIVE_AT_95 not in without.table


def test_predictions_without_limits_have_no_sensitivity_at_95_specificity() -> None:
    for found in (
        score_single_label(single(), A_IS_HEALTHY),
        score_multi_label(multi([[1], [0]], [[0.9], [0.1]]), ("a",)),
    ):
        assert found["sensitivity_at_95_specificity"] is None
        assert found["specificity_reached/a"] is None
        assert undefined_notes(found) == ()


def test_labels_without_a_limit_are_named_and_left_out() -> None:
    predictions = multi([[1, 1], [0, 0]], [[0.9, 0.9], [0.1, 0.1]])
    predictions.table[POSITIVE_AT_95] = pd.Series([np.array([1.0, np.nan]), np.array([0.0, np.nan])])
    found = score_multi_label(predictions, ("a", "b"))
    assert (found["sensitivity_at_95_specificity"], found["sensitivity_at_95_specificity/b"]) == (1.0, None)
    assert undefined_notes(found)[0].endswith("left out of its mean: b")


def test_limits_of_single_label_tasks_are_one_against_the_rest() -> None:
    predictions = single(400)
    scores = np.stack(predictions.table["scores"].to_list())
    one_hot = np.eye(3)[predictions.table["truth"]]
    limits = limits_of(one_hot, scores)
    predictions.table[POSITIVE_AT_95] = pd.Series(list((scores > limits).astype(float)))
    found = score_single_label(predictions, None)
    # Scored on what chose the limits, every class keeps 95 %.
    reached = [found[f"specificity_reached/{label}"] for label in "abc"]
    assert all(value is not None and 0.95 <= value < 0.97 for value in reached)
    hits = [np.mean(scores[one_hot[:, index] == 1, index] > limits[index]) for index in range(3)]
    assert found["sensitivity_at_95_specificity"] == pytest.approx(np.mean(hits))


def test_one_view_a_study_gives_the_auc_of_images() -> None:
    predictions = multi([[1], [0], [1]], [[0.9], [0.5], [0.1]])
    found = score_multi_label(predictions, ("a",))
    assert found["study_auc"] == found["auc"] == 0.5


def test_unknown_truth_is_no_decision() -> None:
    right, known = decisions(multi([[1, np.nan], [0, 1]], [[0.9, 0.9], [0.9, 0.9]]))
    assert known.tolist() == [[True, False], [True, True]]
    assert right[known].tolist() == [True, False, True]


def test_every_metric_with_a_direction_is_scored() -> None:
    found = {
        **score_single_label(single(), A_IS_HEALTHY),
        **score_multi_label(multi([[1], [0]], [[0.9], [0.1]]), ("a",)),
    }
    assert set(METRICS) <= set(found)
