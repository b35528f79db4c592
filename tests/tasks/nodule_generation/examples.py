"""A tiny dataset with nodules, without files, and small networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cxrbench.data.images import Images
from cxrbench.data.radiographs import Radiographs
from cxrbench.tasks.detection.targets import true_boxes
from cxrbench.tasks.nodule_generation.nodules import Nodules, nodules_of
from cxrbench.tasks.nodule_generation.settings import NetworkSettings
from cxrbench.tasks.predictions import Predictions

SMALL = NetworkSettings(channels=8, hidden=4, style=4, discriminator_channels=4)


def radiographs(boxes: list[tuple[str, float, float, float, float]], test: tuple[str, ...] = ()) -> Radiographs:
    """One image an id in `boxes`, each its own patient."""
    table = pd.DataFrame(boxes, columns=["sample_id", "x1", "y1", "x2", "y2"])
    table.insert(1, "label", "nodule")
    ids = pd.Series(sorted(table["sample_id"].unique()), dtype="str")
    samples = pd.DataFrame(
        {
            "sample_id": ids,
            "patient_id": ids,
            "study_id": ids,
            "path": ids + ".png",
            "split": np.where(ids.isin(test), "test", "train"),
            "view": "frontal",
            "nodule": 1.0,
        }
    )
    return Radiographs("node21", Path("nowhere"), samples, ("nodule",), False, False, boxes=table)


def images_of(data: Radiographs, pixels: np.ndarray) -> Images:
    return Images(data, pixels, np.arange(len(data)), Path("nowhere"), "key", pixels.shape[1], "default", "print")


def nodules(data: Radiographs, size: int = 64) -> Nodules:
    """Those of images that are already of `size`."""
    return nodules_of(data, true_boxes(data, ("nodule",), np.full((len(data), 2), size)), size)


def predictions(
    real: np.ndarray, painted: np.ndarray, patients: list[str] | None = None, **more: np.ndarray
) -> Predictions:
    """Of nodules `n0#1`, `n1#1`, ..., each of its own patient unless `patients` says otherwise."""
    ids = [f"n{number}" for number in range(len(real))]
    owners = patients or ids
    columns = {name: pd.Series(list(values)) for name, values in {"truth": real, "scores": painted, **more}.items()}
    table = pd.DataFrame({"sample_id": [f"{name}#1" for name in ids], "patient_id": owners, "study_id": owners})
    return Predictions(table.assign(**columns), ("nodule",), False)
