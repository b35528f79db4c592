"""Who trains in a detection trial: patients, and of their images those with boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...data.splits import DrawKey, Split, check_split, draw_patients
from ...foundation.errors import UserError
from .targets import is_crowd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...data.radiographs import Radiographs
    from ..trial import Trial
    from .settings import DrawSettings

# Says that an image without boxes is not one without findings; see data/sources/siim_covid.py.
UNBOXED_SIBLING = "unboxed_sibling"


def without_unboxed_siblings(radiographs: Radiographs) -> Radiographs:
    """`radiographs` without images of whose findings nothing is known, where the dataset marks such."""
    if UNBOXED_SIBLING not in radiographs.samples:
        return radiographs
    return radiographs.where(~radiographs.samples[UNBOXED_SIBLING].to_numpy(dtype=bool))


def draw(radiographs: Radiographs, trial: Trial, version: int, settings: DrawSettings, labels: Sequence[str]) -> Split:
    """The split of `trial`: the same for every encoder and both variants; that of a file where one was imported.

    Validation and test keep their images without boxes; those that would train are left out, as detectron2 does
    (FILTER_EMPTY_ANNOTATIONS). A file's split stays as it is, and `boxed` takes them out of it. Patients with boxes
    and patients without are drawn apart, so that every fraction and both parts have their share of either.

    Raises:
        UserError: a part without any box.
        RefusedError: a patient on two sides.
    """
    has = _has_box(radiographs, labels)
    if radiographs.splits is not None:
        split = radiographs.splits.of(radiographs, trial.variant, trial.fraction, trial.replicate)
    else:
        key = DrawKey(trial.task, version, trial.replicate)
        split = _drawn(radiographs, key, trial.fraction, settings, has)
    wanted = len(split.validation) > 0 or (radiographs.splits is None and settings.validation_share > 0)
    larger = "add images with boxes" if trial.fraction == 100 else "train on a larger fraction"
    ways_out = {
        "train": larger,
        "validation": f"{larger}, or set draw.validation_share to 0 to go without validation",
        "test": "check that the copy is complete",
    }
    for role, way_out in ways_out.items():
        if not has[getattr(split, role)].any() and (role != "validation" or wanted):
            raise UserError(
                f"{radiographs.dataset}: no image of the {role} part of {trial.fraction:g} % #{trial.replicate} has a "
                f"box of {', '.join(labels)}; {way_out}"
            )
    check_split(radiographs, split)
    return split


def boxed(radiographs: Radiographs, rows: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Those of `rows` whose images have a box of `labels`."""
    return rows[_has_box(radiographs, labels)[rows]]


def _drawn(radiographs: Radiographs, key: DrawKey, fraction: float, settings: DrawSettings, has: np.ndarray) -> Split:
    """A split of the patients of the train rows; `has` [N] says which images have a box."""
    samples = radiographs.samples
    rows = {name: np.flatnonzero(samples["split"].to_numpy() == name) for name in ("train", "val", "test")}
    pool, own = rows["train"], rows["val"] if settings.validation == "val" else np.empty(0, dtype=np.int64)
    names, patient_of_row = np.unique(samples["patient_id"].to_numpy(dtype=str)[pool], return_inverse=True)
    strata = np.bincount(patient_of_row, weights=has[pool], minlength=len(names)) > 0
    share = 0.0 if len(own) else settings.validation_share
    train, validation = (
        pool[np.isin(names, chosen)[patient_of_row]] for chosen in draw_patients(names, key, fraction, share, strata)
    )
    return Split(train[has[train]], own if len(own) else validation, rows["test"])


def _has_box(radiographs: Radiographs, labels: Sequence[str]) -> np.ndarray:
    """Whether each sample has a box of `labels` that is not of a crowd: bool [N]."""
    assert radiographs.boxes is not None, "checked when the samples were selected"
    boxes = radiographs.boxes
    ids = boxes["sample_id"][boxes["label"].isin(labels).to_numpy() & ~is_crowd(boxes)]
    return radiographs.samples["sample_id"].isin(ids).to_numpy()
