"""Masks of several encoders on the same test images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...data.run_lengths import counts_from_text, mask_of
from .image_grid import Heading, ImageRow, image_grid
from .overlays import FOUND, TRUE, draw_mask, truth_and_found_keys
from .style import EncoderName, print_style, sign_notes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...tasks.predictions import Predictions

COLUMNS = ("height", "width", "truth", "decision")


def draw_masks(
    images: Sequence[np.ndarray],
    rows: np.ndarray,
    names: Sequence[EncoderName],
    predictions: Sequence[Predictions],
    results: Sequence[str],
    *,
    title: str,
    synthetic: bool = False,
    notes: Sequence[str] = (),
) -> Figure:
    """Images in rows, encoders in columns; the true mask dashed, the decision filled; Dice over each panel.

    Dice is that of the task: 1 where both masks are empty, 0 where one is.

    Args:
        images: [H, W] in original pixels, one for each of `rows`.
        rows: of the tables [R].
        names: of the encoders, with their signs.
        predictions: of each encoder, with the columns of COLUMNS, rows in one order.
        results: a line on each encoder's result: its mean Dice.
        title: what the trials are.
        synthetic: whether the images are phantoms.
        notes: what must be read with the figure beside what it says of itself.
    """
    first = predictions[0].table
    pairs = [[_masks(each, row) for each in predictions] for row in rows]
    lines = [
        ImageRow(str(first["sample_id"].iloc[row]), image, tuple(_dice(*pair) for pair in of_row))
        for row, image, of_row in zip(rows, images, pairs, strict=True)
    ]
    with print_style():
        figure, panels = image_grid(
            title,
            [Heading(str(name), result) for name, result in zip(names, results, strict=True)],
            lines,
            synthetic=synthetic,
            keys=truth_and_found_keys("true mask", "decision"),
            notes=[*notes, *sign_notes(names)],
        )
        for line, of_row in zip(panels, pairs, strict=True):
            for axes, (truth, decision) in zip(line, of_row, strict=True):
                draw_mask(axes, decision, FOUND, "decision", filled=True)
                draw_mask(axes, truth, TRUE, "true mask")
        return figure


def _masks(predictions: Predictions, row: int) -> tuple[np.ndarray, np.ndarray]:
    entry = predictions.table.iloc[row]
    size = int(entry["height"]), int(entry["width"])
    return mask_of(counts_from_text(entry["truth"]), *size), mask_of(counts_from_text(entry["decision"]), *size)


def _dice(truth: np.ndarray, decision: np.ndarray) -> str:
    from ...tasks.segmentation.overlap import dice

    value = dice(np.array((truth & decision).sum()), np.array(truth.sum()), np.array(decision.sum()))
    why = ""
    if not truth.any():
        why = ", nothing there" if decision.any() else ", both empty"
    elif not decision.any():
        why = ", none found"
    return f"Dice {float(value):.2f}{why}"
