"""The table of predictions of a segmentation trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...data.run_lengths import counts_to_text
from ..predictions import Predictions

if TYPE_CHECKING:
    from ...data.radiographs import Radiographs
    from .targets import TrueMasks


def predictions_of(
    radiographs: Radiographs,
    rows: np.ndarray,
    masks: TrueMasks,
    decisions: Sequence[str],
    scores: np.ndarray,
    label: str,
) -> Predictions:
    """One row a test image; all masks are in its original pixels.

    Columns beside the ids: `height` and `width` of the image (int64), `truth` and `decision` (COCO's counts as text,
    see `data.run_lengths`; an empty mask is one count), and `scores`, a list of one: the largest probability of a
    pixel.

    Args:
        radiographs: all samples.
        rows: test rows [T].
        masks: of all samples.
        decisions: [T] counts as text.
        scores: [T].
        label: what the masks show.
    """
    table = radiographs.samples.loc[rows, ["sample_id", "patient_id", "study_id"]].reset_index(drop=True)
    table = table.assign(
        height=masks.sizes[rows, 0],
        width=masks.sizes[rows, 1],
        truth=[counts_to_text(masks.counts[row].tolist()) for row in rows],
        scores=pd.Series(list(scores.astype(np.float64)[:, None])),
        decision=list(decisions),
    )
    return Predictions(table, (label,), False)
