"""Predictions of made images, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cxrbench.data.radiographs import Radiographs
from cxrbench.tasks.image_pairs.predictions import predictions_of
from cxrbench.tasks.predictions import Predictions


def radiographs(n: int, images_a_patient: int = 1) -> Radiographs:
    ids = [f"s{number:03d}" for number in range(n)]
    samples = pd.DataFrame(
        {
            "sample_id": ids,
            "patient_id": [f"p{number // images_a_patient:03d}" for number in range(n)],
            "study_id": ids,
            "path": ids,
            "split": "test",
            "view": "frontal",
        }
    )
    return Radiographs("made", Path("nowhere"), samples, (), False)


def made(
    n: int = 12,
    seed: int = 0,
    images_a_patient: int = 1,
    failed: Sequence[int] = (),
    **values: np.ndarray,
) -> Predictions:
    """Predictions of `n` images whose values are drawn from `seed`, but for those given; the truth is always the
    same."""
    generator = np.random.default_rng(seed)
    drawn = {"psnr": generator.normal(35, 2, n), "ssim": generator.uniform(0.8, 1, n), "rmse": generator.gamma(4, 1, n)}
    truth = np.random.default_rng(99).uniform(0.1, 0.9, (n, 2))
    why = ["not a number" if number in failed else "" for number in range(n)]
    return predictions_of(radiographs(n, images_a_patient), np.arange(n), {**drawn, **values}, why, truth)
