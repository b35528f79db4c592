"""How much every test patient weighs in a metric: what a paired interval is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...foundation.progress import Progress, SilentProgress

if TYPE_CHECKING:
    from ...tasks.predictions import Predictions
    from ...tasks.task import Task

MOST_GROUPS = 200
_BATCH = 50
_GROUPING_SEED = 0
_SILENT = SilentProgress()


@dataclass(frozen=True)
class Scored:
    """A metric of several replicates on one test set, taken apart by patient.

    Attributes:
        values: [R], NaN where the metric is undefined.
        influences: [R, G], one column a patient, or a group of patients where there are more than MOST_GROUPS. G / (G
            - 1) times the sum of their squares is the metric's variance, clustered by patient.
        patients: patients of the test set.
        defined: per replicate the names of the metrics with a value: the labels behind a mean must not change.
    """

    values: np.ndarray
    influences: np.ndarray
    patients: int
    defined: tuple[frozenset[str], ...]

    @property
    def clusters(self) -> int:
        """Columns of `influences`."""
        return self.influences.shape[1]

    def of(self, replicates: np.ndarray) -> Scored:
        """Only those replicates: booleans [R] or positions."""
        chosen = np.arange(len(self.values))[replicates]
        defined = tuple(self.defined[each] for each in chosen)
        return Scored(self.values[chosen], self.influences[chosen], self.patients, defined)


def scored(task: Task, metric: str, predictions: Sequence[Predictions], progress: Progress = _SILENT) -> Scored:
    """`metric` of every replicate, and the influence of every patient on it.

    The influence is what the metric changes by where a patient counts twice (a jackknife that adds where the usual one
    leaves out, so that no label ever loses its last case), times (G + 1) / G: for a mean over patients with equally
    many images this is (x - mean) / G exactly.

    Args:
        task: configured as the trials were.
        metric: a name that `task.score` gives.
        predictions: one a replicate, all with the same samples in the same order.
        progress: told, because a metric without an array form is scored anew for every group of patients.
    """
    scores = [task.score(each) for each in predictions]
    found = [each.get(metric) for each in scores]
    values = np.array([np.nan if value is None else value for value in found], dtype=np.float64)
    patient_of = predictions[0].patients()
    n_patients = int(patient_of.max()) + 1
    groups = min(n_patients, MOST_GROUPS)
    group_of = patient_of
    if groups < n_patients:
        # By lot: numbers of patients may follow time or place.
        group_of = (np.random.default_rng(_GROUPING_SEED).permutation(n_patients) % groups)[patient_of]
    influences = np.zeros((len(predictions), groups))
    with progress.step(f"{metric} by patient", len(predictions)) as step:
        for row, each in enumerate(predictions):
            influences[row] = _influences(task, metric, each, group_of, groups)
            step.advance()
    defined = tuple(frozenset(name for name, value in each.items() if value is not None) for each in scores)
    return Scored(values, influences, n_patients, defined)


def _influences(task: Task, metric: str, predictions: Predictions, group_of: np.ndarray, groups: int) -> np.ndarray:
    """Influences [G], 0 throughout where the metric is undefined."""
    weighted = task.weighted(predictions, metric)
    once = np.ones((1, len(group_of)), dtype=np.int64)
    batches = [np.arange(first, min(first + _BATCH, groups)) for first in range(0, groups, _BATCH)]
    twice = np.concatenate([weighted(once + (group_of == batch[:, None])) for batch in batches])
    return np.nan_to_num((twice - weighted(once)) * (groups + 1) / groups)
