"""Detections of several encoders on the same test images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .image_grid import Heading, ImageRow, image_grid
from .overlays import FOUND, TRUE, draw_boxes, draw_scores, truth_and_found_keys
from .style import EncoderName, print_style, sign_notes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...tasks.predictions import Predictions

COLUMNS = ("height", "width", "truth", "truth_labels", "boxes", "scores", "box_labels")


def draw_detections(
    images: Sequence[np.ndarray],
    rows: np.ndarray,
    names: Sequence[EncoderName],
    predictions: Sequence[Predictions],
    results: Sequence[str],
    *,
    title: str,
    least_score: float = 0.3,
    synthetic: bool = False,
    notes: Sequence[str] = (),
) -> Figure:
    """Images in rows, encoders in columns; true boxes dashed, detections solid with their scores.

    Args:
        images: [H, W] in original pixels, one for each of `rows`.
        rows: of the tables [R].
        names: of the encoders, with their signs.
        predictions: of each encoder, with the columns of COLUMNS, rows in one order.
        results: a line on each encoder's result: its mAP50.
        title: what the trials are.
        least_score: detections of lower scores are not drawn.
        synthetic: whether the images are phantoms.
        notes: what must be read with the figure beside what it says of itself.
    """
    first = predictions[0]
    said = [f"Detections with scores of {least_score:g} or more.", *notes, *sign_notes(names)]
    with print_style():
        figure, panels = image_grid(
            title,
            [Heading(str(name), result) for name, result in zip(names, results, strict=True)],
            [ImageRow(str(first.table["sample_id"].iloc[row]), image) for row, image in zip(rows, images, strict=True)],
            synthetic=synthetic,
            keys=truth_and_found_keys("true box", "detection, with its score"),
            notes=said,
        )
        for row, line in zip(rows, panels, strict=True):
            for axes, each in zip(line, predictions, strict=True):
                entry = each.table.iloc[row]
                scores = np.asarray(entry["scores"], dtype=np.float64)
                kept = scores >= least_score
                boxes, labels = _boxes(entry["boxes"])[kept], np.asarray(entry["box_labels"], dtype=np.intp)[kept]
                draw_boxes(axes, boxes, FOUND, "detection")
                # Over them: a poor detector hides it otherwise.
                draw_boxes(axes, _boxes(entry["truth"]), TRUE, "true box")
                draw_scores(axes, boxes, _words(scores[kept], labels, each.labels))
        return figure


def _boxes(flat: object) -> np.ndarray:
    return np.asarray(flat, dtype=np.float64).reshape(-1, 4)


def _words(scores: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> list[str]:
    """`0.87`, with the class before it where there are several."""
    if len(names) == 1:
        return [f"{score:.2f}" for score in scores]
    return [f"{names[label]} {score:.2f}" for score, label in zip(scores, labels, strict=True)]
