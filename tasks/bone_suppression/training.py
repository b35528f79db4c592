"""One trial of bone suppression: a U-Net trained, its best epoch kept, its test films made and scored."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import nn

from ...data.splits import ROLES, Split
from ...training.data_loader import BatchLoader
from ...training.device import resolve_device, resolve_precision
from ...training.history import History
from ...training.loop import fit
from ..image_pairs.predictions import grey_mean_and_sd, predictions_of
from ..image_pairs.scores import notes_of
from ..made_images import shown_rows, write_made_images
from ..trial import Trial, TrialResult
from .loss import build_loss
from .network import ResidualUNet
from .pairs import TrainingPairs
from .suppressing import Suppressor, Validation, made_images, suppress_and_score

if TYPE_CHECKING:
    from ...data.radiographs import Radiographs
    from ...pretrain.encoder import Encoder
    from ..task import Context
    from .pairs import Pairs
    from .task import BoneSuppressionTask

# Threads that prepare batches; more do not help one network.
MOST_WORKERS = 8


def train_and_score(
    task: BoneSuppressionTask, encoder: Encoder, trial: Trial, pairs: Pairs, context: Context
) -> TrialResult:
    """Train a U-Net with `encoder` in its loss, choose its epoch by the validation films, and score its test films."""
    start = time.perf_counter()
    settings = task.settings
    radiographs = pairs.films.radiographs
    split = task.split(radiographs, trial)
    device = resolve_device(settings.training.device)
    precision = resolve_precision(settings.training.precision, device)
    suppress = Suppressor(pairs, device, precision, settings.training.batch_size)
    resolved: dict[str, object] = {"device": device}
    history, network, notes = History(), nn.Identity(), []
    if not task.is_identity(encoder):
        history, network, weighed = _train(task, encoder, trial, split, suppress, context)
        resolved |= {"best_epoch": history.best_epoch, "stopped": history.stopped, **weighed}
        notes += [f"{history.not_finite}; its best epoch until then is scored"] if history.not_finite else []
    shown = shown_rows(radiographs.samples["sample_id"].to_numpy()[split.test], task.meta.name)
    lpips = None if task.lpips is None else task.lpips.to(device)
    found = suppress_and_score(suppress, network, split.test, shown, lpips)
    truth = grey_mean_and_sd(pairs.targets.batch(split.test))
    predictions = predictions_of(radiographs, split.test, found.values, found.failed, truth)
    write_made_images(context.made_images_of(trial), made_images(pairs, split.test[shown], found.shown))
    return TrialResult(
        trial=trial,
        predictions=predictions,
        history=pd.DataFrame(history.rows, columns=None if history.rows else ["epoch"]),
        split=_split_in_words(radiographs, split),
        resolved=resolved,
        notes=(*notes, *notes_of(predictions)),
        seconds=time.perf_counter() - start,
    )


def _train(
    task: BoneSuppressionTask, encoder: Encoder, trial: Trial, split: Split, suppress: Suppressor, context: Context
) -> tuple[History, nn.Module, dict[str, object]]:
    """What happened, the trained network, and how the weight of its loss came about.

    Its first weights and the order of its batches follow the replicate alone, so that encoders are paired.
    """
    settings = task.settings
    network = ResidualUNet(settings.widths, trial.replicate)
    batch_size = settings.training.batch_size
    loss, weighed = build_loss(
        encoder,
        trial.variant,
        settings.perceptual,
        suppress.pairs,
        split.train,
        batch_size,
        suppress.device,
        suppress.precision,
    )
    training = TrainingPairs(suppress.pairs, split.train, settings.augmentation == "affine")
    workers = min(torch.get_num_threads(), MOST_WORKERS)
    batches = BatchLoader(training.prepare, len(split.train), batch_size, trial.replicate, workers=workers)
    history = fit(
        network,
        loss=loss,
        batches=batches,
        n_batches=len(batches),
        validate=Validation(suppress, split.validation),
        monitor="mse",
        mode="min",
        settings=settings.training,
        seed=trial.replicate,
        progress=context.progress,
        title=f"training {trial}",
        checkpoint=context.checkpoint_of(trial),
        not_finite="keep best",
    )
    return history, network, weighed


def _split_in_words(radiographs: Radiographs, split: Split) -> dict[str, object]:
    """Counts of images and patients a role."""
    patients = radiographs.samples["patient_id"].to_numpy()
    rows = {role: getattr(split, role) for role in ROLES}
    return {role: {"images": len(each), "patients": len(np.unique(patients[each]))} for role, each in rows.items()}
