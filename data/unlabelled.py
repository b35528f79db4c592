"""Images without labels, as pretraining takes them: those below a folder, or those that a list names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..foundation.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from .radiographs import Radiographs

DATASET = "images"


def read_unlabelled(place: Path) -> Radiographs:
    """The images below the folder `place`, or those that the list `place` names, as a dataset without labels.

    Names in a list are relative to the list's folder, or absolute. Every image is a train image; its patient is the
    one that its name tells (`image_list.identify`), else itself. No image is opened: that a file is there is found out
    where it is read.

    Raises:
        UserError: no such folder or file, or one that names no image.
    """
    import pandas as pd

    from .folders_around import folders_around
    from .image_list import read_image_list
    from .phantom.marker import is_phantom
    from .radiographs import Radiographs

    listed = read_image_list(place)
    root, paths = _located(place, listed["name"])
    patients = listed["patient_id"].where(listed["patient_id"] != "", listed["name"])
    samples = pd.DataFrame({"sample_id": listed["name"], "patient_id": patients, "study_id": patients})
    samples["path"], samples["split"], samples["view"] = paths, "train", "unknown"
    known = bool((listed["patient_id"] != "").any())
    inside = paths.str.rpartition("/")[0].unique()
    synthetic = any(map(is_phantom, folders_around(os.path.realpath(root / str(name)) for name in inside)))
    kind = "folder of images" if place.is_dir() else "list of images"
    return Radiographs(DATASET, root, samples, (), False, patients_known=known, layout=kind, synthetic=synthetic)


def _located(place: Path, names: pd.Series) -> tuple[Path, pd.Series]:
    """The folder that all paths are relative to, and the paths."""
    if place.is_dir():
        return place, names
    here = place.parent.resolve()
    absolute = names.str.startswith("/")
    if not absolute.any():
        return here, names
    if names.str.contains("\x00", regex=False).any():
        raise UserError(f"{place}: a name with a zero byte in it")
    return Path("/"), names.str.lstrip("/").where(absolute, f"{here.as_posix().lstrip('/')}/" + names)
