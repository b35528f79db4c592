"""Paired differences between two trials that painted the same nodules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..trial import Comparison, PairedTest
from .scores import features_of_metric, score_patches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..predictions import Predictions
    from ..trial import TestName

# The kernel distance stands beside the first: a second test of the same features would say nothing of its own.
TESTED = ("frechet", "fid")
N_PERMUTATIONS = 2000


def compare_patches(a: Predictions, b: Predictions, asked: Sequence[TestName]) -> list[Comparison]:
    """One Comparison a metric, of predictions of the same nodules in the same order.

    A Fréchet distance is no mean over nodules: what both generators painted for whole patients is exchanged instead,
    where `permutation` is asked. The test tells two trained generators apart; what another seed of the same loss would
    give it does not see.
    """
    scores_a, scores_b = score_patches(a), score_patches(b)
    patients = a.patients()
    comparisons = []
    for metric, value_a in scores_a.items():
        tests: tuple[PairedTest, ...] = ()
        if value_a is not None and "permutation" in asked and metric in TESTED:
            tests = _permutation(a, b, metric, patients)
        comparisons.append(Comparison.of(metric, value_a, scores_b[metric], patients, tests))
    return comparisons


def _permutation(a: Predictions, b: Predictions, metric: str, patients: np.ndarray) -> tuple[PairedTest, ...]:
    """Empty where fewer than two patients have a nodule."""
    from ...stats.frechet_permutation import paired_frechet_permutation_test

    of_a, of_b = features_of_metric(a, metric), features_of_metric(b, metric)
    if of_a is None or of_b is None or len(np.unique(patients)) < 2:
        return ()
    result = paired_frechet_permutation_test(
        of_a[0], of_a[1], of_b[1], groups=patients, n_permutations=N_PERMUTATIONS, seed=0
    )
    return (PairedTest.of(result, "permutation", metric, "nodules"),)
