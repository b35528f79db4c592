"""Small datasets and predictions with masks, made in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from cxrbench.data.radiographs import Radiographs
from cxrbench.data.run_lengths import counts_of, counts_to_text
from cxrbench.tasks.predictions import Predictions

LABEL = "pneumothorax"


def text_of(mask: np.ndarray) -> str:
    return counts_to_text(counts_of(mask.astype(bool)))


def batch_of(masks: Sequence[np.ndarray]) -> Any:
    """Masks of one size as segmentation_models_pytorch's metrics take them, [N, 1, H, W]."""
    return torch.from_numpy(np.stack(masks)).unsqueeze(1).long()


def predictions(
    truth: Sequence[np.ndarray],
    decision: Sequence[np.ndarray],
    patients: Sequence[str] | None = None,
    scores: Sequence[float] | None = None,
) -> Predictions:
    """Predictions of masks [H, W] each; every image is a patient of its own unless `patients` are given."""
    ids = [f"s{number:03d}" for number in range(len(truth))]
    scores = scores if scores is not None else [float(each.any()) for each in decision]
    table = pd.DataFrame(
        {
            "sample_id": ids,
            "patient_id": ids if patients is None else list(patients),
            "study_id": ids,
            "height": [each.shape[0] for each in truth],
            "width": [each.shape[1] for each in truth],
            "truth": [text_of(each) for each in truth],
            "scores": [np.array([score]) for score in scores],
            "decision": [text_of(each) for each in decision],
        }
    )
    return Predictions(table, (LABEL,), False)


def random_masks(n: int, seed: int, share: float = 0.2) -> list[np.ndarray]:
    """Masks of different sizes, about a third of them empty, some of them full."""
    generator = np.random.default_rng(seed)
    masks = []
    for number in range(n):
        shape = (5 + number % 7, 4 + number % 5)
        kind = generator.random()
        masks.append(generator.random(shape) < (0.0 if kind < 0.3 else 1.0 if kind < 0.35 else share))
    return masks


def dataset(
    n: int = 200,
    prevalence: float = 0.25,
    images_a_patient: int = 1,
    shape: tuple[int, int] = (8, 6),
    seed: int = 0,
) -> Radiographs:
    """`n` images, the last fifth of the patients for the test; positives have a mask of their own size."""
    generator = np.random.default_rng(seed)
    positive = generator.random(n) < prevalence
    ids = np.array([f"i{number:04d}" for number in range(n)])
    patients = np.array([f"p{number // images_a_patient:04d}" for number in range(n)])
    last = n // images_a_patient * 4 // 5
    samples = pd.DataFrame(
        {
            "sample_id": ids,
            "patient_id": patients,
            "study_id": ids,
            "path": [f"{name}.png" for name in ids],
            "split": np.where(np.arange(n) // images_a_patient < last, "train", "test"),
            "view": "frontal",
            LABEL: positive.astype(np.float64),
        }
    )
    mask = np.zeros(shape, dtype=bool)
    mask[1:4, 2:5] = True
    masks = pd.DataFrame(
        {
            "sample_id": ids[positive],
            "label": LABEL,
            "height": shape[0],
            "width": shape[1],
            "counts": text_of(mask),
        }
    )
    return Radiographs("siim_acr", Path("nowhere"), samples, (LABEL,), False, masks=masks)
