"""The table of a detection trial: what is there and what was found, image by image, in original pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...stats.average_precision import Detections, Truth
from ..predictions import Predictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...data.radiographs import Radiographs
    from .targets import TrueBoxes


def predictions_of(
    radiographs: Radiographs, rows: np.ndarray, truth: TrueBoxes, found: Sequence[Detections], labels: Sequence[str]
) -> Predictions:
    """The table of predictions for test `rows`.

    Columns besides sample_id, patient_id and study_id, all boxes in original pixels:
        height, width: of the image in original pixels, int64.
        truth: the n true boxes, x1, y1, x2, y2 one after another, float64 [4 n].
        truth_labels: their places in `labels`, int64 [n].
        truth_crowd: whether they are of crowds, bool [n].
        boxes: the d boxes found, by falling score, float64 [4 d].
        scores: float64 [d].
        box_labels: int64 [d].

    Args:
        rows: test rows [T].
        truth: of all samples.
        found: for each of `rows` its detections in original pixels, by falling score.
        labels: of the task.
    """
    table = radiographs.samples.loc[rows, ["sample_id", "patient_id", "study_id"]].reset_index(drop=True)
    places = [truth.of(row) for row in rows]
    columns: dict[str, list[np.ndarray]] = {
        "truth": [truth.boxes[place].ravel() for place in places],
        "truth_labels": [truth.labels[place] for place in places],
        "truth_crowd": [truth.crowd[place] for place in places],
        "boxes": [each.boxes.ravel() for each in found],
        "scores": [each.scores for each in found],
        "box_labels": [each.label for each in found],
    }
    table = table.assign(height=truth.sizes[rows, 0], width=truth.sizes[rows, 1])
    table = table.assign(**{name: pd.Series(values, dtype=object) for name, values in columns.items()})
    return Predictions(table, tuple(labels), False)


def detections_of(predictions: Predictions) -> Detections:
    """What was found, image i being row i of the table."""
    image, (label, boxes, scores) = _joined(predictions, "box_labels", "boxes", "scores")
    return Detections(image=image, label=label.astype(np.int64), boxes=boxes.reshape(-1, 4), scores=scores)


def truth_of(predictions: Predictions) -> Truth:
    """What is there, image i being row i of the table."""
    image, (label, boxes, crowd) = _joined(predictions, "truth_labels", "truth", "truth_crowd")
    return Truth(image=image, label=label.astype(np.int64), boxes=boxes.reshape(-1, 4), crowd=crowd.astype(bool))


def _joined(predictions: Predictions, *names: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """Number of the image of each entry of the first column, and the columns' entries one after another."""
    columns = [predictions.table[name].to_numpy() for name in names]
    image = np.repeat(np.arange(len(columns[0])), [len(each) for each in columns[0]])
    empty = np.empty(0, dtype=np.float64)
    return image, [np.concatenate([empty, *column]) for column in columns]
