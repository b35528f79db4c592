"""How many images, patients and labels a dataset holds, under the names that its card uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from .radiographs import Radiographs


def count(radiographs: Radiographs, parts: pd.Series) -> dict[str, int]:
    """`<part>/<quantity>` -> number, for each value of `parts` [N] and for `all`.

    Quantities: `images`, `patients` (where they are known), `studies`, `frontal`, `boxes`, `boxed images`,
    `masked images`, and for each label the number of images with it: `<label>` (1), `<label>=0`, `<label>=-1`,
    `<label>=blank`.
    """
    counts: dict[str, int] = {}
    samples = radiographs.samples
    targets = radiographs.targets()
    names = parts.to_numpy(dtype=object).astype(str)
    for part in ("all", *sorted(set(names))):
        rows = np.ones(len(samples), dtype=bool) if part == "all" else names == part
        found = samples[rows]
        counts[f"{part}/images"] = len(found)
        if radiographs.patients_known:
            counts[f"{part}/patients"] = found["patient_id"].nunique()
        counts[f"{part}/studies"] = found["study_id"].nunique()
        counts[f"{part}/frontal"] = int((found["view"] == "frontal").sum())
        ids = set(found["sample_id"])
        if radiographs.boxes is not None:
            boxed = radiographs.boxes["sample_id"][radiographs.boxes["sample_id"].isin(ids)]
            counts[f"{part}/boxes"] = len(boxed)
            counts[f"{part}/boxed images"] = boxed.nunique()
        if radiographs.masks is not None:
            counts[f"{part}/masked images"] = int(radiographs.masks["sample_id"].isin(ids).sum())
        for label, values in zip(radiographs.labels, targets[rows].T, strict=True):
            counts[f"{part}/{label}"] = int((values == 1).sum())
            counts[f"{part}/{label}=0"] = int((values == 0).sum())
            counts[f"{part}/{label}=-1"] = int((values == -1).sum())
            counts[f"{part}/{label}=blank"] = int(np.isnan(values).sum())
    return counts
