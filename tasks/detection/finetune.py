"""Fine-tuning a detector: all weights, the epoch with the best mAP50 on validation kept."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ...foundation.errors import UserError
from ...training.batch_norm import synchronise
from ...training.data_loader import BatchLoader
from ...training.device import resolve_device, resolve_precision
from ...training.loop import fit
from ...training.optimiser import norms_without_decay
from ...training.precise_batch_norm import settle_batch_norm
from ...training.torchrun import process_count
from ..network_input import as_input
from ..trial import Trial, TrialResult
from .detecting import Finder, Validation
from .draw import boxed
from .model.build import build_detector
from .predictions import predictions_of
from .targets import TrueBoxes

if TYPE_CHECKING:
    from ...data.images import Images
    from ...data.radiographs import Radiographs
    from ...data.splits import Split
    from ...pretrain.encoder import Encoder
    from ...training.history import History
    from ..task import Context
    from .task import DetectionTask

Batch = tuple[Tensor, list[dict[str, Tensor]]]
# Threads that prepare batches; more do not help one network.
MOST_WORKERS = 8


def finetune(
    task: DetectionTask, encoder: Encoder, trial: Trial, images: Images, truth: TrueBoxes, context: Context
) -> TrialResult:
    """Train a detector around a fresh copy of `encoder`, and find what is in the test images with its best epoch.

    A loss that stops being a number ends the training with the best epoch before it, and a note says so.

    Raises UserError where no epoch was validated before that, or where the weights are not finite.
    """
    start = time.perf_counter()
    settings, radiographs, seed = task.settings, images.radiographs, trial.replicate
    labels = task.labels_of(radiographs)
    split = task.split(radiographs, trial)
    detector = build_detector(encoder.fresh(seed), len(labels), settings.detection, task.head_of(trial), seed)
    if process_count(settings.training.devices) > 1:
        # A process has too few images by itself (MoCo's protocol); frozen statistics stay frozen.
        synchronise(detector)
    device = resolve_device(settings.training.device)
    precision = resolve_precision(settings.training.precision, device)
    rows = boxed(radiographs, split.train, labels)
    samples = TrainingSamples(images, rows, truth, settings.flip)
    workers = min(torch.get_num_threads(), MOST_WORKERS)
    batches = BatchLoader(samples.prepare, len(rows), settings.training.batch_size, seed, workers=workers)
    find = Finder(images, truth.sizes, device, precision, settings.training.batch_size)
    validates = len(split.validation) > 0
    history = fit(
        detector,
        loss=detection_loss,
        batches=batches,
        n_batches=len(batches),
        validate=Validation(find, split.validation, truth, len(labels)) if validates else None,
        monitor="map50",
        mode="max",
        settings=settings.training,
        seed=seed,
        progress=context.progress,
        title=str(trial),
        checkpoint=context.checkpoint_of(trial),
        parameter_groups=norms_without_decay,
        not_finite="keep best",
    )
    _check_weights(detector, trial)
    some = islice(batches(0), settings.detection.precise_batches)
    precise = settle_batch_norm(detector, detection_loss, some, device, precision, seed)
    predictions = predictions_of(radiographs, split.test, truth, find(detector, split.test), labels)
    undefined = [name for name, value in task.score(predictions).items() if value is None]
    return TrialResult(
        trial=trial,
        predictions=predictions,
        history=pd.DataFrame(history.rows),
        split=_in_words(radiographs, split, truth),
        resolved={
            "best_epoch": history.best_epoch,
            "stopped": history.stopped,
            "device": device,
            "precise_batches": precise,
        },
        notes=(*detector.notes, *_notes(history, validates, undefined)),
        seconds=time.perf_counter() - start,
    )


def detection_loss(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """The sum of the detector's four losses as `loss`, and each of them."""
    pixels, targets = batch
    losses: dict[str, Tensor] = model(pixels, targets)
    return {"loss": torch.stack(list(losses.values())).sum(), **losses}


class TrainingSamples:
    """Makes training batches: pixels and true boxes of some rows, half of them mirrored.

    Args:
        rows: rows of `images` to train on.
        truth: of all samples.
        flip: whether to mirror.
    """

    def __init__(self, images: Images, rows: np.ndarray, truth: TrueBoxes, flip: bool):
        self._images, self._rows, self._truth, self._flip = images, rows, truth, flip
        self._boxes = truth.in_network(images.size).astype(np.float32)

    def prepare(self, places: np.ndarray, generator: np.random.Generator) -> Batch:
        """The batch of `places` [B] into `rows`; `generator` decides what is mirrored."""
        rows = self._rows[places]
        pixels = self._images.batch(rows)
        mirrored = generator.random(len(rows)) < (0.5 if self._flip else 0.0)
        pixels = np.where(mirrored[:, None, None], pixels[:, :, ::-1], pixels)
        targets = [self._targets(row, mirror) for row, mirror in zip(rows, mirrored, strict=True)]
        return as_input(pixels), targets

    def _targets(self, row: int, mirror: bool) -> dict[str, Tensor]:
        place = self._truth.of(row)
        alone = ~self._truth.crowd[place]
        boxes = self._boxes[place][alone]
        if mirror:
            left, top, right, bottom = boxes.T
            boxes = np.stack([self._images.size - right, top, self._images.size - left, bottom], axis=1)
        return {"boxes": torch.from_numpy(boxes), "labels": torch.from_numpy(self._truth.labels[place][alone])}


def _check_weights(detector: nn.Module, trial: Trial) -> None:
    if not all(bool(each.isfinite().all()) for each in detector.parameters()):
        raise UserError(f"{trial}: its weights are not numbers; lower training.lr or set training.clip")


def _in_words(radiographs: Radiographs, split: Split, truth: TrueBoxes) -> dict[str, object]:
    """Images, patients, images with boxes, and boxes of each part."""
    patients = radiographs.samples["patient_id"].to_numpy()
    counts = np.diff(truth.first)
    described: dict[str, object] = {}
    for role in ("train", "validation", "test"):
        rows = getattr(split, role)
        described[role] = {
            "images": len(rows),
            "patients": len(np.unique(patients[rows])),
            "images_with_boxes": int((counts[rows] > 0).sum()),
            "boxes": int(counts[rows].sum()),
        }
    return described


def _notes(history: History, validates: bool, undefined: list[str]) -> tuple[str, ...]:
    notes: list[str] = []
    if history.not_finite:
        notes.append(f"{history.not_finite}: the weights of epoch {history.best_epoch}, the best before, are scored")
    if not validates:
        notes.append("no validation image in this draw: trained for all epochs, the last one is scored")
    if undefined:
        notes.append(f"undefined, as the test part has no such box: {', '.join(undefined)}")
    return tuple(notes)
