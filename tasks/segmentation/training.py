"""One segmentation trial: a U-Net trained, its best epoch kept, its threshold chosen, its test masks written."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from ...data.splits import ROLES, Split
from ...foundation.errors import UserError
from ...training.data_loader import BatchLoader
from ...training.device import resolve_device, resolve_precision
from ...training.loop import fit
from ..trial import Trial, TrialResult
from .batches import TrainingImages
from .loss import DiceAndCrossEntropy
from .predicting import NotNumbersError, Predictor, Validation
from .predictions import predictions_of
from .scores import score_masks, undefined_notes
from .unet import build_unet

if TYPE_CHECKING:
    from ...data.images import Images
    from ...data.radiographs import Radiographs
    from ...pretrain.encoder import Encoder
    from ..task import Context
    from .targets import TrueMasks
    from .task import SegmentationTask

# Threads that prepare batches; more do not help one network.
MOST_WORKERS = 8


def train_and_score(
    task: SegmentationTask, encoder: Encoder, trial: Trial, images: Images, masks: TrueMasks, context: Context
) -> TrialResult:
    """Train a U-Net on a copy of `encoder`, choose epoch and threshold by validation, and decide on the test images."""
    start = time.perf_counter()
    settings = task.settings
    radiographs = images.radiographs
    split = task.split(radiographs, trial)
    network = build_unet(encoder, trial.protocol, trial.replicate, settings.decoder_channels)
    device = resolve_device(settings.training.device)
    precision = resolve_precision(settings.training.precision, device)
    training = TrainingImages(images, split.train, masks, settings)
    workers = min(torch.get_num_threads(), MOST_WORKERS)
    batches = BatchLoader(
        training.prepare, len(split.train), settings.training.batch_size, trial.replicate, workers=workers
    )
    predict = Predictor(images, masks, device, precision, settings.training.batch_size)
    history = fit(
        network,
        loss=DiceAndCrossEntropy(settings.loss.dice, settings.loss.bce),
        batches=batches,
        n_batches=len(batches),
        validate=Validation(predict, split.validation),
        monitor="balanced_dice",
        mode="max",
        settings=settings.training,
        seed=trial.replicate,
        progress=context.progress,
        title=str(trial),
        checkpoint=context.checkpoint_of(trial),
        not_finite="keep best",
    )
    try:
        counted = predict.count(network, split.validation)
        threshold = counted.best_threshold()
        decisions, scores = predict.decide(network, split.test, threshold)
    except NotNumbersError as error:
        raise UserError(f"{trial}: {error}") from error
    predictions = predictions_of(radiographs, split.test, masks, decisions, scores, task.label(radiographs))
    resolved: dict[str, object] = {"best_epoch": history.best_epoch, "stopped": history.stopped, "device": device}
    resolved |= {"threshold": threshold, "validation_dice": float(counted.dice().mean(axis=0).max())}
    notes = [f"{history.not_finite}; its best epoch until then is scored"] if history.not_finite else []
    return TrialResult(
        trial=trial,
        predictions=predictions,
        history=pd.DataFrame(history.rows),
        split=_split_in_words(radiographs, split, masks),
        resolved=resolved,
        notes=(*notes, *undefined_notes(score_masks(predictions))),
        seconds=time.perf_counter() - start,
    )


def _split_in_words(radiographs: Radiographs, split: Split, masks: TrueMasks) -> dict[str, object]:
    """Counts of images, patients and positives a role."""
    patients, positive = radiographs.samples["patient_id"].to_numpy(), masks.positive
    described: dict[str, object] = {}
    for role in ROLES:
        rows = getattr(split, role)
        described[role] = {
            "images": len(rows),
            "patients": len(np.unique(patients[rows])),
            "positives": int(positive[rows].sum()),
        }
    return described
