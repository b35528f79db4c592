"""Who trains in a classification trial: fractions of the patients, and amounts a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...data.splits import DrawKey, Split, check_split, draw_split, hash_order
from ...foundation.errors import UserError, unknown_name

if TYPE_CHECKING:
    from ...data.radiographs import Radiographs
    from ..trial import Trial
    from .settings import DrawSettings


def draw(radiographs: Radiographs, trial: Trial, version: int, settings: DrawSettings) -> Split:
    """The split of `trial`: the same for every encoder and both protocols; that of a file where one was imported.

    Raises:
        UserError: a class without training images, amounts that name an unknown class, or a draw that the imported
            file has not.
        RefusedError: a patient on two sides.
    """
    if radiographs.splits is not None:
        split = radiographs.splits.of(radiographs, trial.variant, trial.fraction, trial.replicate)
        if radiographs.exclusive:
            _check_classes(radiographs, split)
        return split
    key = DrawKey(trial.task, version, trial.replicate)
    from_dataset = settings.validation == "val"
    split = draw_split(radiographs, key, trial.fraction, 0.0 if from_dataset else settings.validation_share)
    if from_dataset:
        rows = np.flatnonzero(radiographs.samples["split"].to_numpy() == "val")
        if len(rows) == 0:
            raise UserError(
                f"{radiographs.dataset}: draw.validation is val, but no validation images lie below "
                f"{radiographs.root}; add them, or use --set draw.validation=drawn"
            )
        split = Split(split.train, rows, split.test)
        check_split(radiographs, split)
    if radiographs.exclusive:
        _check_classes(radiographs, split)
        split = Split(_cut(radiographs, split.train, trial, key, settings), split.validation, split.test)
    return split


def _cut(radiographs: Radiographs, train: np.ndarray, trial: Trial, key: DrawKey, settings: DrawSettings) -> np.ndarray:
    """`train` with every class cut to the amount that the variant gives it, whole patients first."""
    classes = radiographs.targets()[train].argmax(axis=1)
    counts = np.bincount(classes, minlength=len(radiographs.labels))
    keep = counts.copy()
    if trial.variant in settings.smallest:
        keep[:] = counts.min()
    for label, amount in settings.amounts.get(trial.variant, {}).items():
        if label not in radiographs.labels:
            where = f"draw.amounts.{trial.variant}"
            raise UserError(f"--set {where}: {unknown_name('class', label, radiographs.labels)}")
        index = radiographs.labels.index(label)
        wanted = round(amount * counts[index]) if amount < 1 else round(amount)
        keep[index] = min(max(wanted, 1), counts[index])
    if (keep == counts).all():
        return train
    patients, patient_of_row = np.unique(
        radiographs.samples["patient_id"].to_numpy(dtype=str)[train], return_inverse=True
    )
    rank = np.empty(len(patients), dtype=np.int64)
    rank[hash_order(patients, key)] = np.arange(len(patients))
    order = np.argsort(rank[patient_of_row], kind="stable")
    kept = [order[classes[order] == index][: keep[index]] for index in range(len(keep))]
    return np.sort(train[np.concatenate(kept)])


def _check_classes(radiographs: Radiographs, split: Split) -> None:
    counts = radiographs.targets()[split.train].sum(axis=0)
    empty = [label for label, count in zip(radiographs.labels, counts, strict=True) if count == 0]
    if empty:
        raise UserError(
            f"{radiographs.dataset}: no training image of class {', '.join(empty)} below {radiographs.root}; "
            "add some, or train on a larger fraction"
        )
