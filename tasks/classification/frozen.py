"""The frozen protocol: a convex linear probe on features that were computed once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...training.probe import LinearProbe, ProbeData
from ..trial import Trial, TrialResult
from .outcome import limits_of, predictions_of, split_in_words, split_notes, thresholds_of
from .scores import undefined_notes

if TYPE_CHECKING:
    from ...data.radiographs import Radiographs
    from .task import ClassificationTask


def probe(task: ClassificationTask, features: np.ndarray, trial: Trial, radiographs: Radiographs) -> TrialResult:
    """Fit, choose and score one probe; `features` is float32 [N, D] of all samples."""
    start = time.perf_counter()
    split = task.split(radiographs, trial)
    targets = task.targets(radiographs)
    patients = radiographs.samples["patient_id"].to_numpy(dtype=str)
    truth = targets.argmax(axis=1) if radiographs.exclusive else targets
    data = ProbeData(
        train=features[split.train].astype(np.float64),
        train_truth=truth[split.train],
        train_patients=patients[split.train].tolist(),
        validation=features[split.validation].astype(np.float64),
        validation_truth=truth[split.validation],
        test=features[split.test].astype(np.float64),
        names=radiographs.labels,
    )
    linear = LinearProbe(task.settings.probe)
    result = linear.classes(data) if radiographs.exclusive else linear.labels(data)
    thresholds, chosen = thresholds_of(targets[split.validation], result.validation)
    limits = limits_of(targets[split.validation], result.validation)
    predictions = predictions_of(radiographs, split.test, targets, result.test, thresholds, limits)
    described = split_in_words(radiographs, split, targets)
    resolved: dict[str, object] = {"strengths": _jsonable(result.strengths), "chosen_by": list(result.chosen_by)}
    resolved["limits_at_95_specificity"] = _jsonable(limits)
    if not radiographs.exclusive:
        resolved["thresholds"] = dict(zip(radiographs.labels, thresholds.tolist(), strict=True))
        resolved["thresholds_from_validation"] = chosen.tolist()
    return TrialResult(
        trial=trial,
        predictions=predictions,
        history=pd.DataFrame({"strength": result.strengths, "chosen_by": result.chosen_by}),
        split=described,
        resolved=resolved,
        notes=(*split_notes(described), *result.notes, *undefined_notes(task.score(predictions))),
        seconds=time.perf_counter() - start,
    )


def _jsonable(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]
