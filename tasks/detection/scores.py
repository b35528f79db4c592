"""Detection metrics: COCO's, in original pixels, computed from predictions alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...stats.average_precision import Detections, Matches, Truth, match
from .predictions import detections_of, truth_of

if TYPE_CHECKING:
    from ..predictions import Predictions

# Name -> what a reader must know about it.
MEANINGS = {
    "map50": "boxes that overlap by 0.5 or more count as found",
    "map": "mean over overlaps of 0.5 to 0.95",
    "map75": "boxes that overlap by 0.75 or more count as found",
    "map_small": "of boxes up to 32 x 32 original pixels",
    "map_medium": "of boxes from 32 x 32 to 96 x 96 original pixels",
    "map_large": "of boxes from 96 x 96 original pixels",
    "ar100": "recall of 100 detections an image, mean over overlaps of 0.5 to 0.95",
}
# The one that single labels have too, as `map50/LABEL`.
OF_LABELS = "map50"


def matched(predictions: Predictions, label: str | None = None) -> Matches:
    """The detections held against the truth, image i being row i of the table; of one label alone where it is named,
    which then is label 0."""
    found, truth = detections_of(predictions), truth_of(predictions)
    if label is None:
        return match(found, truth, len(predictions.table), len(predictions.labels))
    mine, there = (each.label == predictions.labels.index(label) for each in (found, truth))
    found = Detections(found.image[mine], np.zeros(mine.sum(), np.int64), found.boxes[mine], found.scores[mine])
    truth = Truth(truth.image[there], np.zeros(there.sum(), np.int64), truth.boxes[there], truth.crowd[there])
    return match(found, truth, len(predictions.table), 1)


def score(predictions: Predictions) -> dict[str, float | None]:
    """The metrics of `MEANINGS`, and with several labels `map50` of each.

    Average precision and recall are COCO's, equal to pycocotools 2.0.11. They are means over the labels that have a
    true box; without any they are None, and 0 where nothing was found of what is there.
    """
    matches = matched(predictions)
    summary = matches.summary()
    metrics = {name: summary[name] for name in MEANINGS}
    if len(predictions.labels) > 1:
        values = zip(predictions.labels, matches.by_label(OF_LABELS), strict=True)
        metrics |= {f"{OF_LABELS}/{label}": value for label, value in values}
    return metrics
