"""The fine-tuning protocol: all weights, early stopping on validation, the best epoch kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...data.augmentation import Augmentation
from ...data.balancing import balanced_rows, rotate_and_zoom
from ...data.keys import fold
from ...training.device import autocast, resolve_device, resolve_precision
from ...training.loop import fit
from ..trial import Trial, TrialResult
from .outcome import predictions_of, split_in_words, split_notes, thresholds_of
from .scores import undefined_notes

if TYPE_CHECKING:
    from ...data.images import Images
    from ...pretrain.encoder import Encoder
    from ..task import Context
    from .task import ClassificationTask

Batch = tuple[Tensor, Tensor]


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
    precision = resolve_precision(settings.training.precision, settings.training.device)
    rows, copies = split.train, np.zeros(len(split.train), dtype=np.int64)
    if exclusive and settings.balance:
        places, copies = balanced_rows(targets[split.train].argmax(axis=1), seed)
        rows = split.train[places]
    batches = _Batches(
        images, targets, rows, copies, Augmentation(settings.augmentation), settings.training.batch_size, seed
    )

    def probabilities(model: nn.Module, of: np.ndarray) -> np.ndarray:
        return predict(model, images, of, exclusive, device, precision, settings.training.batch_size)

    def validate(model: nn.Module) -> dict[str, float]:
        scores = probabilities(model, split.validation)
        return {"log_loss": log_loss(targets[split.validation], scores, exclusive)}

    notes = []
    if len(split.validation) == 0:
        notes.append("no validation image in this draw: trained for all epochs, the last one is scored")
    history = fit(
        network,
        loss=single_label_loss if exclusive else multi_label_loss,
        batches=batches.epoch,
        n_batches=len(batches),
        validate=validate if len(split.validation) else None,
        settings=settings.training,
        seed=seed,
        progress=context.progress,
        checkpoint=context.partial / f"{_name(trial)}.ckpt",
    )
    validation = probabilities(network, split.validation)
    thresholds, _ = thresholds_of(targets[split.validation], validation)
    predictions = predictions_of(radiographs, split.test, targets, probabilities(network, split.test), thresholds)
    described = split_in_words(radiographs, split, targets)
    resolved: dict[str, object] = {"best_epoch": history.best_epoch, "stopped": history.stopped, "device": device.type}
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


def predict(
    model: nn.Module,
    images: Images,
    rows: np.ndarray,
    exclusive: bool,
    device: torch.device,
    precision: str,
    batch_size: int,
) -> np.ndarray:
    """Probabilities float64 [len(rows), L] of `model` in eval mode; its mode is put back."""
    was_training = model.training
    model.eval()
    found = []
    with torch.inference_mode(), autocast(device, precision):
        for first in range(0, len(rows), batch_size):
            pixels = as_input(images.batch(rows[first : first + batch_size])).to(device)
            logits = model(pixels).double()
            found.append((logits.softmax(dim=1) if exclusive else logits.sigmoid()).cpu().numpy())
    model.train(was_training)
    return np.concatenate(found) if found else np.empty((0, len(images.radiographs.labels)))


def log_loss(targets: np.ndarray, scores: np.ndarray, exclusive: bool) -> float:
    """Mean negative log-likelihood of `targets` [V, L] (NaN = unknown) under probabilities `scores` [V, L]."""
    scores = np.clip(scores, 1e-15, 1 - 1e-15)
    if exclusive:
        return float(-np.log(scores[np.arange(len(scores)), targets.argmax(axis=1)]).mean())
    return float(-np.nanmean(targets * np.log(scores) + (1 - targets) * np.log(1 - scores)))


def as_input(pixels: np.ndarray) -> Tensor:
    """uint8 [B, S, S] -> float32 [B, 1, S, S] in [0, 1], channels last."""
    batch = torch.from_numpy(pixels).unsqueeze(1).float().div_(255)
    return batch.contiguous(memory_format=torch.channels_last)


class _Batches:
    """Shuffled, augmented training batches; what an image becomes depends on seed, epoch and its own place."""

    def __init__(
        self,
        images: Images,
        targets: np.ndarray,
        rows: np.ndarray,
        copies: np.ndarray,
        augmentation: Callable[[np.ndarray, np.ndarray], np.ndarray],
        batch_size: int,
        seed: int,
    ):
        self._images, self._rows, self._copies, self._seed = images, rows, copies, seed
        self._targets = torch.from_numpy(targets[rows].astype(np.float32))
        self._augmentation = augmentation
        self._batch_size = min(batch_size, len(rows))

    def __len__(self) -> int:
        # A last batch of one image has no batch statistics: it is left out, like every incomplete one.
        return len(self._rows) // self._batch_size

    def epoch(self, epoch: int) -> Iterator[Batch]:
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._rows))
        for number in range(len(self)):
            places = order[number * self._batch_size : (number + 1) * self._batch_size]
            pixels = self._images.batch(self._rows[places])
            copied = np.flatnonzero(self._copies[places])
            if len(copied):
                # A copy is turned the same way in every epoch, as if it lay on disk.
                keys = fold(self._seed, self._rows[places][copied], self._copies[places][copied])
                pixels[copied] = rotate_and_zoom(pixels[copied], keys)
            pixels = self._augmentation(pixels, fold(self._seed, epoch, places))
            yield as_input(pixels), self._targets[places]


def _name(trial: Trial) -> str:
    return str(trial).replace(" ", "-").replace("/", "_")
