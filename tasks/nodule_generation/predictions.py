"""The table of predictions of a trial that paints nodules: features of real and painted patches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...foundation.errors import RefusedError
from ..predictions import Predictions
from .nodules import LABEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...data.radiographs import Radiographs
    from .nodules import Nodules

# Features of real patches -> those of the painted ones.
COLUMNS = {"truth": "scores", "truth_inception": "scores_inception"}
# How far features of one patch may lie apart on two machines, as a share of the features' standard deviation.
_TOLERANCE = 1e-2


def predictions_of(
    radiographs: Radiographs, nodules: Nodules, places: np.ndarray, features: Sequence[tuple[np.ndarray, np.ndarray]]
) -> Predictions:
    """One row a nodule, `sample_id` its image's and its number in it: `<image>#<number>`.

    Columns beside the ids: `truth` and `scores`, lists of D float32: the feature net's features of the real and of
    the painted patch; with `features` of the Inception network besides, `truth_inception` and `scores_inception`.

    Args:
        radiographs: all samples.
        nodules: all nodules.
        places: those that were painted [N].
        features: one or two pairs of arrays [N, D], of the real and of the painted patches.
    """
    samples = radiographs.samples.iloc[nodules.rows[places]]
    table = samples[["patient_id", "study_id"]].reset_index(drop=True)
    table.insert(0, "sample_id", nodules.names[places])
    for names, pair in zip(COLUMNS.items(), features, strict=False):
        for name, values in zip(names, pair, strict=True):
            table[name] = pd.Series(list(values.astype(np.float32)))
    return Predictions(table, (LABEL,), False)


def has_inception(predictions: Predictions) -> bool:
    """Whether the features of FID's network are there."""
    return "truth_inception" in predictions.table


def pair_nodules(a: Predictions, b: Predictions) -> tuple[Predictions, Predictions]:
    """Both row by row, and of each only the features that both have.

    Raises RefusedError where the nodules or their patients differ, and where the real patches or the feature nets do:
    their features of the real patches are held against each other, up to what two machines differ by.
    """
    kept = [name for name in a.table if name in b.table]
    a, b = (Predictions(each.table[kept], each.labels, each.exclusive) for each in (a, b))
    # Ids and patients first: they are what tells that nothing can be compared.
    blank = [Predictions(each.table.assign(truth=0.0), each.labels, each.exclusive) for each in (a, b)]
    blank[0].aligned_with(blank[1])
    tables = [each.table.sort_values("sample_id", kind="stable", ignore_index=True) for each in (a, b)]
    for name in COLUMNS:
        if name in kept:
            mine, theirs = (_features(table, name) for table in tables)
            if not _are_close(mine, theirs):
                raise RefusedError(
                    "the two trials disagree on the features of the real patches: the images, the patches or the "
                    "feature net differ; run both on one copy with equal settings"
                )
            # One of the two for both: what differs is rounding, and everything after this asks for equality.
            tables[1][name] = tables[0][name]
    return Predictions(tables[0], a.labels, a.exclusive), Predictions(tables[1], b.labels, b.exclusive)


def _features(table: pd.DataFrame, name: str) -> np.ndarray | None:
    widths = {len(row) for row in table[name]}
    return np.stack(table[name].tolist()).astype(np.float64) if len(widths) == 1 else None


def _are_close(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    if a is None or b is None or a.shape != b.shape:
        return False
    return bool(np.abs(a - b).max(initial=0.0) <= _TOLERANCE * a.std())
