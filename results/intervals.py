"""The interval of a difference: what other patients and other training draws would have shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..stats import replicate_bootstrap_ci

if TYPE_CHECKING:
    from ..tasks.predictions import Predictions
    from ..tasks.task import Task

SEED = 20_240
N_RESAMPLES = 2000
MOST_UNDEFINED = 0.05


def difference_interval(
    task: Task, pairs: Sequence[tuple[Predictions, Predictions]], metric: str, fraction: float
) -> tuple[float, float] | None:
    """95 % interval of the mean of a - b over replicates.

    Patients of the common test set and replicates are resampled, see `cxrbench.stats.replicate_bootstrap_ci`. None
    where there is no interval to be had: the metric is undefined, on the test set or on more than a few resamples, or
    there is one patient only.

    Args:
        task: knows the metric.
        pairs: predictions of a and b, one pair a replicate, all on one test set.
        metric: its name.
        fraction: share of the training pool that each replicate draws, above 0 to 1.
    """
    first = pairs[0][0]
    # One set of weights goes over all replicates, so their rows must be those of the first.
    paired = [task.paired(*(each.aligned_with(first)[0] for each in pair)) for pair in pairs]
    patients = paired[0][0].patients()
    differences = [_difference(task, a, b, metric) for a, b in paired]
    whole = np.ones((1, len(patients)), dtype=np.int64)
    if patients.max(initial=0) == 0 or any(np.isnan(each(whole)).any() for each in differences):
        return None
    try:
        result = replicate_bootstrap_ci(
            differences,
            len(patients),
            groups=patients,
            fraction=None if fraction >= 1 or len(pairs) == 1 else fraction,
            n_resamples=N_RESAMPLES,
            seed=SEED,
        )
    except ValueError:
        # Nearly every resample lacks a class.
        return None
    if np.max(result.n_undefined) > MOST_UNDEFINED * N_RESAMPLES:
        return None
    return (float(result.ci_low), float(result.ci_high))


def _difference(task: Task, a: Predictions, b: Predictions, metric: str):
    of_a, of_b = task.weighted(a, metric), task.weighted(b, metric)
    return lambda weights: of_a(weights) - of_b(weights)
