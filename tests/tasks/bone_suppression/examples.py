"""Small pairs of films and targets, made in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cxrbench.data.images import Images
from cxrbench.data.radiographs import Radiographs
from cxrbench.tasks.bone_suppression.pairs import Pairs

SIZE = 32


def radiographs(n: int) -> Radiographs:
    """One image a patient; the first three quarters train."""
    ids = [f"s{number:03d}" for number in range(n)]
    samples = pd.DataFrame(
        {
            "sample_id": ids,
            "patient_id": [f"p{number:03d}" for number in range(n)],
            "study_id": ids,
            "path": [f"{name}.png" for name in ids],
            "target_path": [f"{name}_soft.png" for name in ids],
            "split": ["train" if number < n * 3 // 4 else "test" for number in range(n)],
            "view": "frontal",
            "nodule": 0.0,
        }
    )
    return Radiographs("pairs", Path("nowhere"), samples, ("nodule",), False)


def pairs(n: int = 24, size: int = SIZE, seed: int = 0) -> Pairs:
    """Smooth targets; films have stripes at the same places, brighter by 30 grey levels, and noise."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    waves = generator.uniform(1, 3, (n, 2, 1, 1))
    targets = 100 + 40 * np.sin(waves[:, 0] * 3 * x) * np.cos(waves[:, 1] * 3 * y)
    films = targets + 30 * (np.arange(size) % 8 < 3)[:, None] + generator.normal(0, 2, targets.shape)
    targets, films = (np.rint(each).clip(0, 255).astype(np.uint8) for each in (targets, films))
    data = radiographs(n)

    def images(stored: np.ndarray) -> Images:
        return Images(data, stored, np.arange(n), Path("somewhere"), "key", size, "unstretched", "fingerprint")

    return Pairs(images(films), images(targets))
