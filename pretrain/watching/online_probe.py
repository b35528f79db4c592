"""How well labels can be read from an encoder's features while it is pretrained: a linear probe on training images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ...stats.scoring import defined_auc, mean_of_defined
from ...training.device import images_channels_last
from ...training.probe import LinearProbe, ProbeData, ProbeSettings

if TYPE_CHECKING:
    from ...data.images import Images
    from ...data.radiographs import Radiographs
    from ..encoder import Encoder

# One strength for all epochs, so that no choice moves the curve; features are standardised. Validation chose it for an
# ImageNet encoder on 650 paediatric radiographs; a tenth of it and three times as much moved the AUC by 0.01.
STRENGTH = 1.0
_BATCH = 64
# Of every three patients, in the order of their hashes, the last is validated on.
_PARTS = 3


@dataclass(frozen=True)
class OnlineProbe:
    """Labelled training images of one dataset, split by patient into a part to fit and a part to judge by.

    Attributes:
        images: of the dataset.
        train, validation: rows of `images` [n].
        truth: [N, L] of 0, 1 and NaN (not known) for labels; whole numbers [N] for classes that exclude each other.
        names: the L labels or classes.
    """

    images: Images
    train: np.ndarray
    validation: np.ndarray
    truth: np.ndarray
    names: tuple[str, ...]

    @property
    def exclusive(self) -> bool:
        """Whether the names exclude each other."""
        return self.truth.ndim == 1

    def auc(self, encoder: Encoder, size: int) -> float:
        """Mean area under the ROC curve over the labels (over the classes, one against the rest).

        The encoder runs in eval mode, without gradients, and is left as it was.

        Args:
            encoder: on any device.
            size: side in pixels of what it is trained with; images of another are resized.

        Returns:
            NaN where its features are not finite.
        """
        features = self._features(encoder, size)
        if not np.isfinite(features).all():
            return float("nan")
        fitted, judged = features[: len(self.train)], features[len(self.train) :]
        data = ProbeData(
            train=fitted,
            train_truth=self.truth[self.train],
            # Patients only matter for folds; with one strength there is nothing to choose by them.
            train_patients=[str(row) for row in self.train],
            validation=judged,
            validation_truth=self.truth[self.validation],
            test=judged,
            names=self.names,
        )
        probe = LinearProbe(ProbeSettings(strengths=(STRENGTH,), min_positives=1))
        result = probe.classes(data) if self.exclusive else probe.labels(data)
        truth = self.truth[self.validation]
        if self.exclusive:
            truth = (truth[:, None] == np.arange(len(self.names))).astype(np.float64)
        return mean_of_defined(defined_auc(truth.T, result.test.T))

    def _features(self, encoder: Encoder, size: int) -> np.ndarray:
        rows = np.concatenate([self.train, self.validation])
        device = next(encoder.parameters()).device
        found = []
        with torch.no_grad(), _in_eval_mode(encoder):
            for start in range(0, len(rows), _BATCH):
                stored = self.images.batch(rows[start : start + _BATCH])
                pixels = torch.from_numpy(stored).to(device).unsqueeze(1).float() / 255
                if pixels.shape[-1] != size:
                    pixels = F.interpolate(pixels, size=(size, size), mode="bilinear", antialias=True)
                found.append(encoder(images_channels_last(pixels)).float().cpu())
        return torch.cat(found).double().numpy()


def online_probe(images: Sequence[Images], most: int) -> OnlineProbe | None:
    """The probe on at most `most` images of the dataset with the most labelled ones.

    Images of an official test part are never taken. Patients come in the order of a hash of their ids, so that it is
    always the same ones. A label that is uncertain or not stated is not known; of readers the majority counts.

    Returns:
        None where `most` is 0, or no dataset has a label with both classes in both parts.
    """
    found = [probe for each in images if most > 0 and (probe := _of(each, most)) is not None]
    # The first of several that have as many.
    return max(found, key=lambda probe: len(probe.train) + len(probe.validation), default=None)


def _of(images: Images, most: int) -> OnlineProbe | None:
    radiographs = images.radiographs
    if not radiographs.labels:
        return None
    truth = _known(radiographs.targets())
    known = ~np.isnan(truth).all(axis=1) & (radiographs.samples["split"] != "test").to_numpy()
    if radiographs.exclusive:
        known &= np.nan_to_num(truth).sum(axis=1) == 1
    train, validation = _by_patient(radiographs, np.flatnonzero(known), most)
    usable = _both_classes(truth[train]) & _both_classes(truth[validation])
    if not usable.any():
        return None
    names = radiographs.labels
    if radiographs.exclusive:
        # A row without its class is in neither part.
        return OnlineProbe(images, train, validation, np.nan_to_num(truth).argmax(axis=1), names)
    kept = tuple(name for name, use in zip(names, usable, strict=True) if use)
    return OnlineProbe(images, train, validation, truth[:, usable], kept)


def _known(stated: np.ndarray) -> np.ndarray:
    """0, 1 and NaN, of labels as the dataset states them."""
    known = np.where((stated >= 0) & (stated <= 1), stated, np.nan)
    return np.where(np.isnan(known), known, known > 0.5)


def _both_classes(truth: np.ndarray) -> np.ndarray:
    return (truth == 1).any(axis=0) & (truth == 0).any(axis=0)


def _by_patient(radiographs: Radiographs, rows: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Of `rows` at most `most`, whole patients: those to fit, and those to judge by."""
    patients = radiographs.samples["patient_id"].to_numpy(dtype=str)[rows]
    unique, patient_of_row, counts = np.unique(patients, return_inverse=True, return_counts=True)
    order = np.argsort([hashlib.sha256(f"online probe {patient}".encode()).digest() for patient in unique])
    place = np.empty(len(unique), dtype=np.int64)
    place[order] = np.arange(len(unique))
    taken = np.searchsorted(np.cumsum(counts[order]), most, side="right")
    validated = place % _PARTS == _PARTS - 1
    part = np.where(place >= taken, 0, np.where(validated, 2, 1))[patient_of_row]
    return rows[part == 1], rows[part == 2]


@contextmanager
def _in_eval_mode(network: nn.Module) -> Iterator[None]:
    """Inside the block every part is in eval mode; afterwards each is in the mode it was in."""
    before = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training
