"""Predictions of a detection trial, made up for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cxrbench.tasks.predictions import Predictions

Box = Sequence[float]
LABELS = ("opacity", "nodule")


def predictions(
    *images: tuple[str, Sequence[tuple[int, Box]], Sequence[tuple[float, int, Box]]],
    labels: tuple[str, ...] = LABELS,
) -> Predictions:
    """An image each: its patient, (label, box) of what is there, (score, label, box) of what was found."""
    rows = [
        {
            "sample_id": f"s{number:04}",
            "patient_id": patient,
            "study_id": patient,
            "height": 400,
            "width": 300,
            "truth": np.array([box for _, box in truth], dtype=np.float64).ravel(),
            "truth_labels": np.array([label for label, _ in truth], dtype=np.int64),
            "truth_crowd": np.zeros(len(truth), dtype=bool),
            "boxes": np.array([box for *_, box in found], dtype=np.float64).ravel(),
            "scores": np.array([score for score, *_ in found], dtype=np.float64),
            "box_labels": np.array([label for _, label, _ in found], dtype=np.int64),
        }
        for number, (patient, truth, found) in enumerate(images)
    ]
    return Predictions(pd.DataFrame(rows), labels, False)


def random_predictions(seed: int, n: int = 40, skill: float = 0.8, patients: int = 15) -> Predictions:
    """The same truth for every seed; a box is found, moved a little, with probability `skill`; some are made up."""
    there, drawn = np.random.default_rng(0), np.random.default_rng(seed)
    images = []
    for number in range(n):
        truth = [(int(there.integers(2)), _box(there)) for _ in range(there.integers(4))]
        found = [
            (float(drawn.random()), label, box + drawn.normal(0, 4, 4))
            for label, box in truth
            if drawn.random() < skill
        ]
        found += [(float(drawn.random()) / 2, int(drawn.integers(2)), _box(drawn)) for _ in range(drawn.integers(3))]
        images.append((f"p{number % patients}", truth, sorted(found, key=lambda each: -each[0])))
    return predictions(*images)


def _box(generator: np.random.Generator) -> np.ndarray:
    corner = generator.uniform(10, 150, 2)
    return np.concatenate([corner, corner + generator.uniform(30, 120, 2)])
