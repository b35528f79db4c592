"""The fine-tuning protocol: all weights, early stopping on validation, the best epoch kept."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...foundation.errors import UserError
from ..trial import Trial, TrialResult
from .outcome import limits_of, predictions_of, split_in_words, split_notes, thresholds_of
from .scores import undefined_notes
from .training import Trained, train_classifier

if TYPE_CHECKING:
    from ...data.images import Images
    from ...pretrain.encoder import Encoder
    from ..task import Context
    from .task import ClassificationTask


def finetune(task: ClassificationTask, encoder: Encoder, trial: Trial, images: Images, context: Context) -> TrialResult:
    """Train a fresh copy of `encoder` with a linear head, and score the test set with its best epoch."""
    return scored(task, train_classifier(task, encoder, trial, images, context))


def scored(task: ClassificationTask, trained: Trained) -> TrialResult:
    """What a trained network says of the test set, with thresholds from validation.

    Raises UserError where its outputs are not finite.
    """
    start = time.perf_counter()
    radiographs = trained.predict.images.radiographs
    split, targets = trained.split, trained.targets
    scores = trained.predict(trained.network, split.test)
    if not np.isfinite(scores).all():
        raise UserError(f"{trained.trial}: its outputs are not numbers; lower training.lr or set training.clip")
    validation_scores = trained.predict(trained.network, split.validation)
    thresholds, _ = thresholds_of(targets[split.validation], validation_scores)
    limits = limits_of(targets[split.validation], validation_scores)
    predictions = predictions_of(radiographs, split.test, targets, scores, thresholds, limits)
    described = split_in_words(radiographs, split, targets)
    history = trained.history
    resolved: dict[str, object] = {
        "best_epoch": history.best_epoch,
        "stopped": history.stopped,
        "device": trained.device,
        "limits_at_95_specificity": [None if np.isnan(limit) else float(limit) for limit in limits],
    }
    if not radiographs.exclusive:
        resolved["thresholds"] = dict(zip(radiographs.labels, thresholds.tolist(), strict=True))
    return TrialResult(
        trial=trained.trial,
        predictions=predictions,
        history=pd.DataFrame(history.rows),
        split=described,
        resolved=resolved,
        notes=(*trained.notes, *split_notes(described), *undefined_notes(task.score(predictions))),
        seconds=trained.seconds + time.perf_counter() - start,
    )
