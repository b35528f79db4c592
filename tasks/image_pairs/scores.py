"""Metrics of trials that make images: from predictions alone, undefined ones left blank."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..mean_over_images import mean_of_known
from .metrics import METRICS
from .predictions import values_per_image

if TYPE_CHECKING:
    from ..predictions import Predictions

# Reasons that are shown in a note.
_SHOWN = 3


def score_images(predictions: Predictions) -> dict[str, float | None]:
    """Each metric's mean over the images that have a finite value; None where no image has."""
    means = {metric: mean_of_known(values) for metric, values in values_per_image(predictions).items()}
    return {metric: None if np.isnan(value) else value for metric, value in means.items()}


def notes_of(predictions: Predictions) -> tuple[str, ...]:
    """Sentences on images that failed, on values that means leave out, and on metrics that are undefined."""
    why = predictions.table["failed"].to_numpy(dtype=object)
    succeeded = why == ""
    notes = []
    if not succeeded.all():
        reasons = sorted(set(why[~succeeded]))
        more = f"; {len(reasons) - _SHOWN} more reasons" if len(reasons) > _SHOWN else ""
        notes.append(
            f"{int((~succeeded).sum())} of {len(why)} images failed and are left out of all means "
            f"({'; '.join(reasons[:_SHOWN])}{more})"
        )
    found = values_per_image(predictions)
    for metric, values in found.items():
        left_out = int((np.isnan(values) & succeeded).sum())
        if left_out and not np.isnan(values).all():
            notes.append(f"{metric} is not finite for {left_out} of {len(why)} images, which its mean leaves out")
    undefined = [metric for metric in METRICS if np.isnan(found[metric]).all()]
    if "lpips" in undefined and len(undefined) < len(METRICS):
        undefined.remove("lpips")
        notes.append("lpips is unavailable: it needs the files of lpips.backbone and lpips.linear")
    if undefined:
        notes.append(f"undefined (no image has a value): {', '.join(undefined)}")
    return tuple(notes)
