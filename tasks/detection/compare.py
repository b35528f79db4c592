"""Paired differences between two detection trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...foundation.errors import RefusedError
from ...stats.average_precision import Matches, paired_permutation_test
from ..trial import Comparison, PairedTest
from .scores import matched, score

if TYPE_CHECKING:
    from ..predictions import Predictions
    from ..trial import TestName

# What is tested: the main number, the mean over overlaps, and the main number of each label.
TESTED = ("map50", "map")
N_PERMUTATIONS = 2000
# Besides the boxes themselves, what two trials must agree on.
_OF_TRUTH = {
    "truth_labels": "the labels of the true boxes",
    "truth_crowd": "the crowds among the true boxes",
    "height": "the heights",
    "width": "the widths",
}


def compare_detection(a: Predictions, b: Predictions, asked: tuple[TestName, ...]) -> list[Comparison]:
    """One Comparison a metric, with the permutation test where `asked`. Raises RefusedError as `pair_detection` does.

    Average precision is no mean over images, so that no t-test over images stands for it: the detections of whole
    patients are exchanged between the two instead.
    """
    a, b = pair_detection(a, b)
    scores_a, scores_b = score(a), score(b)
    patients = a.patients()
    whole = matched(a), matched(b)
    comparisons = []
    for metric, value_a in scores_a.items():
        value_b = scores_b[metric]
        tests: tuple[PairedTest, ...] = ()
        name, _, label = metric.partition("/")
        if None not in (value_a, value_b) and "permutation" in asked and name in TESTED:
            pair = (matched(a, label), matched(b, label)) if label else whole
            tests = (_permutation(pair, metric, patients),)
        comparisons.append(Comparison.of(metric, value_a, value_b, patients, tests))
    return comparisons


def pair_detection(a: Predictions, b: Predictions) -> tuple[Predictions, Predictions]:
    """Both row by row. Raises RefusedError where samples, labels, patients, image sizes or true boxes differ."""
    a, b = a.aligned_with(b)
    for name, what in _OF_TRUTH.items():
        differ = ~np.array(list(map(np.array_equal, a.table[name], b.table[name])), dtype=bool)
        if differ.any():
            shown = ", ".join(a.table["sample_id"][differ][:3])
            raise RefusedError(
                f"the two trials disagree on {what} of {int(differ.sum())} test images ({shown}); "
                "run both on the same copy of the dataset"
            )
    return a, b


def _permutation(pair: tuple[Matches, Matches], metric: str, patients: np.ndarray) -> PairedTest:
    a, b = pair
    result = paired_permutation_test(
        a, b, metric.partition("/")[0], groups=patients, n_permutations=N_PERMUTATIONS, seed=0
    )
    return PairedTest.of(result, "permutation", metric, "images")
