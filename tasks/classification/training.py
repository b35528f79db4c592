"""Training of a fresh copy of an encoder with a linear head: early stopping on validation, the best epoch kept."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...data.augmentation import Augmentation
from ...data.balancing import balanced_rows, rotate_and_zoom
from ...data.keys import fold
from ...training.data_loader import BatchLoader
from ...training.device import Device, resolve_device, resolve_precision
from ...training.loop import fit
from ..network_input import as_input
from .classifier import Classifier, Predictor

if TYPE_CHECKING:
    from ...data.images import Images
    from ...data.splits import Split
    from ...pretrain.encoder import Encoder
    from ...training.history import History
    from ..task import Context
    from ..trial import Trial
    from .task import ClassificationTask

Batch = tuple[Tensor, Tensor]
# Threads that prepare batches; more do not help one network.
MOST_WORKERS = 8


@dataclass(frozen=True)
class Trained:
    """What a fine-tuning trial has when its training is over, before a test image was looked at.

    Attributes:
        trial: which one.
        network: on its device, in eval mode, with the weights of its best epoch.
        history: one row an epoch, and which was the best.
        split: who trained, validated and will test.
        targets: label values of all samples [N, L] after the policy.
        predict: probabilities of any rows by the network.
        device: where it trained.
        notes: sentences a reader of its numbers must know.
        seconds: how long the training took.
    """

    trial: Trial
    network: Classifier
    history: History
    split: Split
    targets: np.ndarray
    predict: Predictor
    device: Device
    notes: tuple[str, ...]
    seconds: float


def train_classifier(
    task: ClassificationTask, encoder: Encoder, trial: Trial, images: Images, context: Context
) -> Trained:
    """Train a fresh copy of `encoder` with a linear head, as `trial` says; the same trial gives the same network.

    Raises UserError where the loss is not a number, or a class has no training image.
    """
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
    seconds = time.perf_counter() - start
    return Trained(trial, network, history, split, targets, predict, device, tuple(notes), seconds)


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
