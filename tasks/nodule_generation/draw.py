"""Who trains, validates and tests: the dataset's own test part, validation out of the training patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...data.splits import DrawKey, Split, draw_split
from ...foundation.errors import UserError
from .nodules import LABEL

if TYPE_CHECKING:
    from ...data.radiographs import Radiographs
    from ..trial import Trial
    from .settings import DrawSettings


def draw(radiographs: Radiographs, trial: Trial, version: int, settings: DrawSettings) -> Split:
    """The split of `trial`: the same for every encoder; that of a file where one was imported.

    Raises:
        UserError: fewer nodules in the test part than `least_nodules`.
        RefusedError: a patient on two sides.
    """
    if radiographs.splits is not None:
        split = radiographs.splits.of(radiographs, trial.variant, trial.fraction, trial.replicate)
    else:
        key = DrawKey(trial.task, version, trial.replicate)
        split = draw_split(radiographs, key, trial.fraction, settings.validation_share)
    assert radiographs.boxes is not None, "checked when the samples were selected"
    ids = radiographs.samples["sample_id"].iloc[split.test]
    boxes = radiographs.boxes
    found = int((boxes["sample_id"].isin(ids) & (boxes["label"] == LABEL)).sum())
    if found < settings.least_nodules:
        raise UserError(
            f"{radiographs.dataset}: {found} nodules in the test part, {settings.least_nodules} are needed for a "
            "Fréchet distance; take more images, or lower draw.least_nodules and read the numbers with care"
        )
    return split
