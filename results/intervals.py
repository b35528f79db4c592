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


def difference_interval(
    task: Task, pairs: Sequence[tuple[Predictions, Predictions]], metric: str, fraction: float
) -> tuple[float, float] | None:
    """95 % interval of the mean of a - b over replicates; None where the metric is undefined.

    Patients of the common test set and replicates are resampled, see `cxrbench.stats.replicate_bootstrap_ci`.

    Args:
        task: knows the metric.
        pairs: predictions of a and b, one pair a replicate, all on one test set.
        metric: its name.
        fraction: share of the training pool that each replicate draws, above 0 to 1.
    """
    aligned = [a.aligned_with(b) for a, b in pairs]
    first = aligned[0][0].table
    differences = [_difference(task, a, b, metric) for a, b in aligned]
    whole = np.ones((1, len(first)), dtype=np.int64)
    if any(np.isnan(each(whole)).any() for each in differences):
        return None
    result = replicate_bootstrap_ci(
        differences,
        len(first),
        groups=first["patient_id"].to_numpy(dtype=str),
        fraction=None if fraction >= 1 or len(pairs) == 1 else fraction,
        n_resamples=N_RESAMPLES,
        seed=SEED,
    )
    return (float(result.ci_low), float(result.ci_high))


def _difference(task: Task, a: Predictions, b: Predictions, metric: str):
    of_a, of_b = task.weighted(a, metric), task.weighted(b, metric)
    return lambda weights: of_a(weights) - of_b(weights)
