"""The table of predictions of a trial that makes images: how near each is to the true one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...foundation.errors import RefusedError
from ..predictions import Predictions
from .metrics import METRICS

if TYPE_CHECKING:
    from ...data.radiographs import Radiographs

LABELS = ("image",)


def predictions_of(
    radiographs: Radiographs,
    rows: np.ndarray,
    values: Mapping[str, np.ndarray],
    failed: Sequence[str],
    truth: np.ndarray,
    latents: np.ndarray | None = None,
) -> Predictions:
    """One row a test image.

    Columns beside the ids: `truth`, a list of two (see `grey_mean_and_sd`), by which trials on other images are
    refused; one float64 a metric of `METRICS`; `failed`, why there is no image, in words, or empty; and `latent`,
    float32 lists, where there are any.

    Args:
        radiographs: all samples.
        rows: test rows [T].
        values: metric -> its values [T]; those of failed images are made NaN, and so are metrics that are absent.
        failed: [T].
        truth: float64 [T, 2], of the true images.
        latents: float32 [T, D], or None.

    Raises ValueError for lengths that differ, a metric that is not known, or a truth that is not finite.
    """
    truth = np.asarray(truth, dtype=np.float64)
    columns = {"failed": failed, "truth": truth, **values, **({} if latents is None else {"latent": latents})}
    wrong = [name for name, column in columns.items() if len(column) != len(rows)]
    if wrong or not set(values) <= set(METRICS):
        raise ValueError(f"{len(rows)} rows, metrics {sorted(values)}: {', '.join(wrong) or 'names'} do not fit")
    if truth.shape != (len(rows), 2) or not np.isfinite(truth).all():
        raise ValueError(f"truth {list(truth.shape)} must be finite [{len(rows)}, 2]")
    table = radiographs.samples.loc[rows, ["sample_id", "patient_id", "study_id"]].reset_index(drop=True)
    table["truth"] = pd.Series(list(truth))
    succeeded = np.array([not why for why in failed], dtype=bool)
    for metric in METRICS:
        known = np.asarray(values.get(metric, np.full(len(rows), np.nan)), dtype=np.float64)
        table[metric] = np.where(succeeded, known, np.nan)
    table["failed"] = pd.Series(list(failed), dtype=object)
    if latents is not None:
        table["latent"] = pd.Series(list(np.asarray(latents, dtype=np.float32)))
    return Predictions(table, LABELS, False)


def grey_mean_and_sd(pixels: np.ndarray) -> np.ndarray:
    """Mean and standard deviation of each image uint8 [N, H, W] over its pixels, in [0, 1]: float64 [N, 2].

    Of whole sums, so that every machine and every grouping of the images gives the same bits.
    """
    found = np.empty((len(pixels), 2))
    for number, image in enumerate(pixels):
        # One image at a time, or the copies in 64 bits of a whole test part would not fit.
        wide = image.astype(np.int64).ravel()
        n, total, squares = len(wide), int(wide.sum()), int(wide @ wide)
        found[number] = total / n / 255, np.sqrt((n * squares - total * total) / (n * n)) / 255
    return found


def values_per_image(predictions: Predictions) -> dict[str, np.ndarray]:
    """Metric -> float64 [N], NaN where the image failed or the value is not finite."""
    table = predictions.table
    succeeded = (table["failed"] == "").to_numpy()
    found = {}
    for metric in METRICS:
        values = table[metric].to_numpy(dtype=np.float64)
        found[metric] = np.where(succeeded & np.isfinite(values), values, np.nan)
    return found


def pair_images(a: Predictions, b: Predictions) -> tuple[Predictions, Predictions]:
    """Both row by row, with the values that only one of them has blank in both, so that means are of the same images.

    Raises RefusedError where samples, patients or true images differ.
    """
    a, b = a.aligned_with(b)
    if "failed" not in a.table or "failed" not in b.table:
        raise RefusedError("the predictions are not of images that were made; they are of different tasks")
    of_a, of_b = values_per_image(a), values_per_image(b)
    blank = {metric: np.isnan(of_a[metric]) | np.isnan(of_b[metric]) for metric in METRICS}
    return _with_blanks(a, of_a, blank), _with_blanks(b, of_b, blank)


def _with_blanks(
    predictions: Predictions, values: Mapping[str, np.ndarray], blank: Mapping[str, np.ndarray]
) -> Predictions:
    changed = {metric: np.where(blank[metric], np.nan, values[metric]) for metric in METRICS}
    return Predictions(predictions.table.assign(**changed), predictions.labels, predictions.exclusive)
