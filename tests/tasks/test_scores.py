"""Metrics against scikit-learn and hand counts, and what is left blank."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from cxrbench.tasks.classification.outcome import thresholds_of
from cxrbench.tasks.classification.scores import score_multi_label, score_single_label, undefined_notes
from cxrbench.tasks.predictions import Predictions


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
    found = score_single_label(predictions, "a")
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
