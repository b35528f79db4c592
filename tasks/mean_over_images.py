"""A metric that is the mean of a value that each test image has: its mean, its tests, its form for the bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..stats import clustered_paired_t_test, clustered_wilcoxon_test, weighted_mean
from .trial import PairedTest

if TYPE_CHECKING:
    from .trial import TestName

# Whole weights [B, N] -> values [B], NaN where undefined.
Weighted = Callable[[np.ndarray], np.ndarray]


def mean_of_known(values: np.ndarray) -> float:
    """Mean of those of `values` [N] that are not NaN; NaN where none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def weighted_mean_of_known(values: np.ndarray) -> Weighted:
    """`mean_of_known` as a function of how often each image counts."""
    known = np.flatnonzero(~np.isnan(values))
    if len(known) == 0:
        return undefined
    mean = weighted_mean(values[known])
    return mean if len(known) == len(values) else lambda weights: mean(np.asarray(weights)[:, known])


def undefined(weights: np.ndarray) -> np.ndarray:
    """A metric that has no value, as a function of how often each image counts."""
    return np.full(len(weights), np.nan)


def paired_tests(
    metric: str,
    a: np.ndarray,
    b: np.ndarray,
    patients: np.ndarray,
    asked: Sequence[TestName],
    decides: bool = True,
) -> tuple[PairedTest, ...]:
    """The paired t of the images' values and Wilcoxon's signed ranks, where `asked` names them.

    Both are clustered by patient. They say whether the two sets of images differ, not whether two trainings of the
    networks that made them would.

    Args:
        metric: what the values are.
        a, b: [N]; an image that is NaN in one of them is left out.
        patients: of each image as a whole number [N].
        asked: names of the tests that the task asks for.
        decides: whether the paired t may say that one is better; Wilcoxon's never does.

    Empty where fewer than two patients have an image that counts.
    """
    known = ~(np.isnan(a) | np.isnan(b))
    a, b, patients = a[known], b[known], patients[known]
    if len(np.unique(patients)) < 2:
        return ()
    tests = []
    if "Wilcoxon" in asked:
        result = clustered_wilcoxon_test(a, b, patients)
        tests.append(PairedTest.of(result, "Wilcoxon", metric, "images", decides=False))
    if "paired t" in asked:
        result = clustered_paired_t_test(a, b, patients)
        tests.append(PairedTest.of(result, "paired t", metric, "images", decides))
    return tuple(tests)
