"""The fine-tuning protocol: all weights, early stopping on validation, the best epoch kept."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...data.augmentation import Augmentation
from ...data.balancing import balanced_rows, rotate_and_zoom
from ...data.keys import fold
from ...foundation.errors import UserError
from ...training.data_loader import BatchLoader
from ...training.device import Device, Precision, autocast, images_channels_last, resolve_device, resolve_precision
from ...training.loop import fit
from ..trial import Trial, TrialResult
from .outcome import limits_of, predictions_of, split_in_words, split_notes, thresholds_of
from .scores import undefined_notes

if TYPE_CHECKING:
    from ...data.images import Images
    from ...pretrain.encoder import Encoder
    from ..task import Context
    from .task import ClassificationTask

Batch = tuple[Tensor, Tensor]
# Threads that prepare batches; more do not help one network.
MOST_WORKERS = 8


class Classifier(nn.Module):
    """An encoder and a linear head: [B, 1, H, W] in [0, 1] -> logits [B, L]."""

    def __init__(self, encoder: Encoder, outputs: int, seed: int):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.meta.dim, outputs)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.head.weight.normal_(0.0, 0.01, generator=generator)
            self.head.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x))


def finetune(task: ClassificationTask, encoder: Encoder, trial: Trial, images: Images, context: Context) -> TrialResult:
    """Train a fresh copy of `encoder` with a linear head, and score the test set with its best epoch."""
    start = time.perf_counter()
    settings = task.settings
    radiographs = images.radiographs
    split = task.split(radiographs, trial)
    targets = task.targets(radiographs)
    exclusive = radiographs.exclusive
    seed = trial.replicate
    network = Classifier(encoder.fresh(seed), len(radiographs.labels), seed)
    device = resolve_device(settings.training.device)
    precision = resolve_precision(settings.training.precision, device)
    rows, copies = split.train, np.zeros(len(split.train), dtype=np.int64)
    if exclusive and settings.balance:
        places, copies = balanced_rows(targets[split.train].argmax(axis=1), seed)
        rows = split.train[places]
    training_images = TrainingImages(images, rows, copies, targets[rows], Augmentation(settings.augmentation), seed)
    workers = min(torch.get_num_threads(), MOST_WORKERS)
    batches = BatchLoader(training_images.prepare, len(rows), settings.training.batch_size, seed, workers=workers)
    predict = Predictor(images, exclusive, device, precision, settings.training.batch_size)
    notes = []
    if len(split.validation) == 0:
        notes.append("no validation image in this draw: trained for all epochs, the last one is scored")
    history = fit(
        network,
        loss=single_label_loss if exclusive else multi_label_loss,
        batches=batches,
        n_batches=len(batches),
        validate=Validation(predict, split.validation, targets[split.validation]) if len(split.validation) else None,
        settings=settings.training,
        seed=seed,
        progress=context.progress,
        title=str(trial),
        checkpoint=context.checkpoint_of(trial),
    )
    scores = predict(network, split.test)
    if not np.isfinite(scores).all():
        raise UserError(f"{trial}: its outputs are not numbers; lower training.lr or set training.clip")
    validation_scores = predict(network, split.validation)
    thresholds, _ = thresholds_of(targets[split.validation], validation_scores)
    limits = limits_of(targets[split.validation], validation_scores)
    predictions = predictions_of(radiographs, split.test, targets, scores, thresholds, limits)
    described = split_in_words(radiographs, split, targets)
    resolved: dict[str, object] = {"best_epoch": history.best_epoch, "stopped": history.stopped, "device": device}
    resolved["limits_at_95_specificity"] = [None if np.isnan(limit) else float(limit) for limit in limits]
    if not exclusive:
        resolved["thresholds"] = dict(zip(radiographs.labels, thresholds.tolist(), strict=True))
    return TrialResult(
        trial=trial,
        predictions=predictions,
        history=pd.DataFrame(history.rows),
        split=described,
        resolved=resolved,
        notes=(*notes, *split_notes(described), *undefined_notes(task.score(predictions))),
        seconds=time.perf_counter() - start,
    )


def single_label_loss(model: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy of logits [B, L] against class probabilities [B, L], mean over the batch."""
    pixels, targets = batch
    return functional.cross_entropy(model(pixels).float(), targets)


def multi_label_loss(model: nn.Module, batch: Batch) -> Tensor:
    """Binary cross-entropy of logits [B, L], mean over the targets that are known (not NaN)."""
    pixels, targets = batch
    known = ~torch.isnan(targets)
    logits = model(pixels).float()
    loss = functional.binary_cross_entropy_with_logits(logits, torch.nan_to_num(targets), reduction="none")
    return (loss * known).sum() / known.sum().clamp(min=1)


@dataclass(frozen=True)
class Predictor:
    """Probabilities of rows of `images` by any model of them; picklable, so that several devices can use it."""

    images: Images
    exclusive: bool
    device: Device
    precision: Precision
    batch_size: int

    def __call__(self, model: nn.Module, rows: np.ndarray) -> np.ndarray:
        """Float64 [len(rows), L], of `model` in eval mode; its mode is put back."""
        was_training = model.training
        model.eval()
        found = []
        with torch.inference_mode(), autocast(self.device, self.precision):
            for first in range(0, len(rows), self.batch_size):
                pixels = as_input(self.images.batch(rows[first : first + self.batch_size])).to(self.device)
                logits = model(pixels).double()
                found.append((logits.softmax(dim=1) if self.exclusive else logits.sigmoid()).cpu().numpy())
        model.train(was_training)
        return np.concatenate(found) if found else np.empty((0, len(self.images.radiographs.labels)))


@dataclass(frozen=True)
class Validation:
    """What chooses the epoch: the log-loss on the validation `rows` with `targets` [V, L]."""

    predict: Predictor
    rows: np.ndarray
    targets: np.ndarray

    def __call__(self, model: nn.Module) -> dict[str, float]:
        return {"log_loss": log_loss(self.targets, self.predict(model, self.rows), self.predict.exclusive)}


def log_loss(targets: np.ndarray, scores: np.ndarray, exclusive: bool) -> float:
    """Mean negative log-likelihood of `targets` [V, L] (NaN = unknown) under probabilities `scores` [V, L].

    NaN where a score is not a number, or no target is known.
    """
    if not np.isfinite(scores).all():
        return float("nan")
    scores = np.clip(scores, 1e-15, 1 - 1e-15)
    if exclusive:
        return float(-np.log(scores[np.arange(len(scores)), targets.argmax(axis=1)]).mean())
    known = ~np.isnan(targets)
    losses = -np.where(targets == 1, np.log(scores), np.log(1 - scores))[known]
    return float(losses.mean()) if known.any() else float("nan")


def as_input(pixels: np.ndarray) -> Tensor:
    """uint8 [B, S, S] -> float32 [B, 1, S, S] in [0, 1], channels last."""
    return images_channels_last(torch.from_numpy(pixels).unsqueeze(1).float().div_(255))


class TrainingImages:
    """Makes training batches: pixels of the originals and of the copies that balance the classes, augmented."""

    def __init__(
        self,
        images: Images,
        rows: np.ndarray,
        copies: np.ndarray,
        targets: np.ndarray,
        augmentation: Augmentation,
        seed: int,
    ):
        self._images, self._rows, self._copies, self._seed = images, rows, copies, seed
        self._targets = torch.from_numpy(targets.astype(np.float32))
        self._augmentation = augmentation

    def prepare(self, places: np.ndarray, generator: np.random.Generator) -> Batch:
        """The batch of `places` [B] into `rows`; `generator` decides the augmentation."""
        pixels = self._images.batch(self._rows[places])
        copied = np.flatnonzero(self._copies[places])
        if len(copied):
            # A copy is turned the same way in every epoch, as if it lay on disk.
            keys = fold(self._seed, self._rows[places][copied], self._copies[places][copied])
            pixels[copied] = rotate_and_zoom(pixels[copied], keys)
        pixels = self._augmentation(pixels, generator.integers(2**62, size=len(places)))
        return as_input(pixels), self._targets[places]
