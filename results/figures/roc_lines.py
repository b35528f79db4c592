"""What a ROC figure shows of each encoder: its curve, its AUC, and the interval of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...foundation.errors import UserError, unknown_name
from ...foundation.progress import Progress, SilentProgress
from ...stats import delong_ci, replicate_bootstrap_ci
from ..intervals import MOST_UNDEFINED, N_RESAMPLES, SEED
from .roc_curves import RocCurve, mean_curve, roc_curve

if TYPE_CHECKING:
    from ...tasks.predictions import Predictions
    from ...tasks.task import Task

# Labels that a note lists by name.
MOST_NAMED = 6
DELONG = "DeLong, clustered by patient"
OVER_PATIENTS = "bootstrap over patients"
OVER_REPLICATES = "bootstrap over patients and replicates"


@dataclass(frozen=True)
class RocLine:
    """One encoder.

    Attributes:
        encoder: its name.
        curve: averaged over labels, then over the replicates that have one; None where none has.
        area: its area: mean AUC over the same; None where it is undefined.
        ci_low, ci_high: 95 % interval of the area; None where there is none: a replicate is undefined, or too many
            resamples of the patients are.
        interval: how that was made, in words; empty where there is none.
        defined: replicates with a curve.
        replicates: how many there are.
    """

    encoder: str
    curve: RocCurve | None
    area: float | None
    ci_low: float | None
    ci_high: float | None
    interval: str
    defined: int
    replicates: int


def shown_labels(task: Task, one: Predictions, label: str | None) -> tuple[str, ...]:
    """Labels that the curve is a mean over: the given one, else those of the task's AUC.

    Raises UserError for a label that the predictions lack, and for a task without an AUC.
    """
    from ...tasks.classification.task import ClassificationTask

    name = task.meta.name
    if "auc" not in task.meta.metrics:
        raise UserError(f"--task {name}: it has no AUC, so no ROC curve; `cxrbench ls tasks` shows others")
    try:
        one.array("truth")
    except (ValueError, TypeError):
        # Boxes and masks.
        raise UserError(f"--task {name}: its predictions are not scores of labels; it has no ROC curve") from None
    if label is not None:
        if label not in one.labels:
            raise UserError(f"--label: {unknown_name(f'label of {name}', label, one.labels)}")
        return (label,)
    main = task.settings.labels.main if isinstance(task, ClassificationTask) and not one.exclusive else ()
    return tuple(each for each in one.labels if each in main) or one.labels


def averaged_over(task: Task, one: Predictions, label: str | None) -> list[str]:
    """What the curves are of beside the label, as notes: the labels that they are a mean over."""
    labels = shown_labels(task, one, label)
    if len(labels) == 1:
        return ["The class against the rest."] if one.exclusive else []
    kind = "classes, each against the rest" if one.exclusive else "labels"
    if len(labels) > MOST_NAMED:
        return [f"Mean over {len(labels)} {kind}."]
    return [f"Mean over {kind}: {', '.join(labels)}."]


def roc_lines(
    task: Task,
    predictions: Mapping[str, Sequence[Predictions]],
    fraction: float,
    label: str | None = None,
    progress: Progress | None = None,
) -> list[RocLine]:
    """A line an encoder, all on the same test images.

    Args:
        task: knows the metric.
        predictions: encoder -> those of its replicates.
        fraction: share of the training pool that each replicate draws, above 0 to 1.
        label: one label or class instead of the mean over those of the task's AUC.
        progress: who is told.

    Raises:
        UserError: see `shown_labels`.
        RefusedError: test sets that differ.
    """
    first = next(iter(predictions.values()))[0]
    labels = shown_labels(task, first, label)
    lines = []
    with (progress or SilentProgress()).step("curves and intervals", len(predictions)) as step:
        for encoder, of_replicates in predictions.items():
            aligned = [each.aligned_with(first)[0] for each in of_replicates]
            lines.append(_line(task, encoder, aligned, fraction, labels, "auc" if label is None else f"auc/{label}"))
            step.advance(1, encoder)
    return lines


def _line(
    task: Task, encoder: str, replicates: Sequence[Predictions], fraction: float, labels: Sequence[str], metric: str
) -> RocLine:
    views = [[_View.of(each, label) for label in labels] for each in replicates]
    curves = [[view.curve for view in of_labels if view.is_defined] for of_labels in views]
    defined = [of_labels for of_labels in curves if of_labels]
    if not defined:
        return RocLine(encoder, None, None, None, None, "", 0, len(replicates))
    area = float(np.mean([np.mean([curve.area for curve in of_labels]) for of_labels in defined]))
    found = None
    if len(defined) == len(replicates):
        one = views[0][0] if len(replicates) == len(labels) == 1 else None
        found = _interval(task, replicates, fraction, metric) if one is None else _delong(one)
    low, high, how = found or (None, None, "")
    curve = mean_curve([mean_curve(of_labels) for of_labels in defined])
    return RocLine(encoder, curve, area, low, high, how, len(defined), len(replicates))


@dataclass(frozen=True)
class _View:
    """One label of one trial, on the samples whose truth is known; a class is one against the rest."""

    positive: np.ndarray
    score: np.ndarray
    patients: np.ndarray

    @staticmethod
    def of(predictions: Predictions, label: str) -> _View:
        column = predictions.labels.index(label)
        truth, score = predictions.array("truth"), predictions.array("scores")[:, column]
        truth = (truth == column).astype(np.float64) if predictions.exclusive else truth[:, column]
        known = ~np.isnan(truth)
        return _View(truth[known] == 1, score[known], predictions.patients()[known])

    @property
    def is_defined(self) -> bool:
        return 0 < self.positive.sum() < len(self.positive) and not np.isnan(self.score).any()

    @property
    def curve(self) -> RocCurve:
        return roc_curve(self.positive, self.score)


def _delong(view: _View) -> tuple[float, float, str] | None:
    found = delong_ci(view.positive, view.score, groups=view.patients)
    return None if found.degenerate else (float(found.ci_low), float(found.ci_high), DELONG)


def _interval(
    task: Task, replicates: Sequence[Predictions], fraction: float, metric: str
) -> tuple[float, float, str] | None:
    patients = replicates[0].patients()
    if patients.max(initial=0) == 0:
        return None
    try:
        found = replicate_bootstrap_ci(
            [task.weighted(each, metric) for each in replicates],
            len(patients),
            groups=patients,
            fraction=None if fraction >= 1 or len(replicates) == 1 else fraction,
            n_resamples=N_RESAMPLES,
            seed=SEED,
        )
    except ValueError:
        # Nearly every resample lacks a class.
        return None
    if np.max(found.n_undefined) > MOST_UNDEFINED * N_RESAMPLES:
        return None
    how = OVER_PATIENTS if len(replicates) == 1 else OVER_REPLICATES
    return float(found.ci_low), float(found.ci_high), how
