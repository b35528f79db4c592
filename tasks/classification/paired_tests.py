"""The tests over test images that compare two classification trials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...stats import (
    clustered_mcnemar_test,
    confusion_between,
    delong_test,
    macro_auc_test,
    mcnemar_test,
    stuart_maxwell_test,
)
from ..trial import PairedTest, TestName
from .scores import decisions

if TYPE_CHECKING:
    from ..predictions import Predictions
    from .binary_view import BinaryView

Tests = dict[str, tuple[PairedTest, ...]]


def tests_of_single_label(a: Predictions, b: Predictions, asked: Sequence[TestName], view: BinaryView | None) -> Tests:
    """Metric -> its tests, for predictions of the same images in the same order.

    Accuracy by McNemar on who is right, and by Stuart-Maxwell on the decisions, which says whether the two
    decide for the classes equally often and nothing about who is right; AUCs by DeLong, one class against the
    rest. Images of one patient are clustered.
    """
    patients = _patients(a)
    truth = a.table["truth"].to_numpy(dtype=np.int64)
    decision_a, decision_b = (each.table["decision"].to_numpy(dtype=np.int64) for each in (a, b))
    tests: Tests = {}
    if "McNemar" in asked:
        tests["accuracy"] = (_mcnemar(decision_a == truth, decision_b == truth, patients),)
    if "Stuart-Maxwell" in asked:
        table = confusion_between(decision_a, decision_b, len(a.labels))
        result = stuart_maxwell_test(table)
        shown = PairedTest.of(result, "Stuart-Maxwell", "marginal homogeneity", "images", decides=False)
        tests["accuracy"] = (*tests.get("accuracy", ()), shown)
    if "DeLong" in asked:
        is_truth = truth[:, None] == np.arange(len(a.labels))
        tests |= _delong(
            is_truth.astype(np.float64), a.array("scores"), b.array("scores"), a.labels, a.labels, patients
        )
    if view is not None:
        is_ill = view.positive(truth, a.labels)
        if "McNemar" in asked:
            right_a, right_b = (decisions(each, view)[0][:, 0] for each in (a, b))
            tests["binary_accuracy"] = (_mcnemar(right_a, right_b, patients),)
        if "DeLong" in asked and 0 < is_ill.sum() < len(is_ill):
            ill_a, ill_b = (view.score(each.array("scores"), a.labels) for each in (a, b))
            result = delong_test(is_ill, ill_a, ill_b, groups=patients)
            tests["binary_auc"] = (PairedTest.of(result, "DeLong", "binary_auc", "images"),)
    return tests


def tests_of_multi_label(a: Predictions, b: Predictions, asked: Sequence[TestName], main: Sequence[str]) -> Tests:
    """Metric -> its tests: DeLong a label and for their mean, McNemar on decisions; clustered by patient.

    Labels for which either AUC is undefined are left out.
    """
    patients = _patients(a)
    truth = a.array("truth")
    tests: Tests = {}
    if "DeLong" in asked:
        tests |= _delong(truth, a.array("scores"), b.array("scores"), a.labels, main, patients)
    if "McNemar" in asked:
        (right_a, known_a), (right_b, known_b) = decisions(a), decisions(b)
        known = known_a & known_b
        # The labels of one image are no more independent than the images of one patient.
        groups = np.arange(len(truth)) if patients is None else patients
        groups = np.broadcast_to(groups[:, None], known.shape)[known]
        if len(groups):
            tests["accuracy"] = (_mcnemar(right_a[known], right_b[known], groups, "decisions"),)
    return tests


def _delong(
    truth: np.ndarray,
    scores_a: np.ndarray,
    scores_b: np.ndarray,
    labels: Sequence[str],
    main: Sequence[str],
    patients: np.ndarray | None,
) -> Tests:
    """DeLong for `auc/LABEL`, for the mean `auc` over `main`, and for `auc_all`; arrays [N, labels]."""
    tests: Tests = {}
    defined = []
    for column, label in enumerate(labels):
        known = ~np.isnan(truth[:, column])
        positives = int((truth[known, column] == 1).sum())
        fitted = not (np.isnan(scores_a[:, column]).any() or np.isnan(scores_b[:, column]).any())
        if not fitted or positives in (0, int(known.sum())):
            continue
        defined.append(column)
        result = delong_test(
            truth[known, column] == 1,
            scores_a[known, column],
            scores_b[known, column],
            groups=None if patients is None else patients[known],
        )
        tests[f"auc/{label}"] = (PairedTest.of(result, "DeLong", f"auc/{label}", "images"),)
    of_main = [column for column in defined if labels[column] in main]
    for metric, columns in (("auc", of_main), ("auc_all", defined)):
        if columns:
            result = macro_auc_test(
                truth[:, columns].T, scores_a[:, columns].T, scores_b[:, columns].T, groups=patients
            )
            tests[metric] = (PairedTest.of(result, "DeLong", f"{metric}, mean of {len(columns)}", "images"),)
    return tests


def _mcnemar(right_a: np.ndarray, right_b: np.ndarray, patients: np.ndarray | None, unit: str = "images") -> PairedTest:
    if patients is not None:
        result = clustered_mcnemar_test(right_a, right_b, patients)
    else:
        result = mcnemar_test(confusion_between(right_a, right_b, [True, False]))
    return PairedTest.of(result, "McNemar", "correct decisions", unit)


def _patients(predictions: Predictions) -> np.ndarray | None:
    """Patient of each image [N] as a whole number; None where every image is a patient of its own."""
    codes = predictions.patients()
    return codes if codes.max(initial=-1) + 1 < len(codes) else None
