"""Which images of a dataset are normal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..foundation.errors import UserError, unknown_name

if TYPE_CHECKING:
    from .radiographs import Radiographs

# How datasets call it, in small letters.
_NAMES = ("no finding", "normal")


def normals(radiographs: Radiographs, label: str = "", way_out: str = "name a dataset that has some") -> np.ndarray:
    """Which samples are normal images that are not lateral, bool [N].

    Args:
        radiographs: all samples.
        label: whose 1 says so (where several readers looked, all of them); empty takes `No finding` or `normal`
            where there is such a label, else samples of which every label is 0.
        way_out: what a user can do where no sample is normal.

    Raises UserError for a label that is not there, and where no sample is normal.
    """
    samples = radiographs.samples
    if label and label not in radiographs.labels:
        raise UserError(f"setting label: {radiographs.dataset}: {unknown_name('label', label, radiographs.labels)}")
    named = label or next((each for each in radiographs.labels if each.casefold() in _NAMES), "")
    stated = radiographs.targets()
    normal = stated[:, radiographs.labels.index(named)] == 1 if named else (stated == 0).all(axis=1)
    normal &= samples["view"].to_numpy() != "lateral"
    if not normal.any():
        what = f"{named} is 1 for none" if named else "each has a label that is not 0"
        raise UserError(f"{radiographs.dataset}: no normal frontal image ({what}); {way_out}")
    return normal
