"""The same image twice, and the same patient on two sides of the official split."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..problems import Problem
from ..radiographs import Radiographs

_MOST_NAMED = 3


def repeated_images(radiographs: Radiographs, hashes: np.ndarray) -> tuple[list[Problem], list[str]]:
    """Groups of bit-equal files: problems where they lie in several splits, a note where inside one.

    Args:
        radiographs: the dataset.
        hashes: of the files' bytes, str [N]; "" where not known.
    """
    samples = radiographs.samples[["sample_id", "patient_id", "path", "split"]].assign(sha256=hashes)
    samples = samples[(samples["sha256"] != "") & samples["split"].notna()]
    # Two rows with one path are one file that is listed twice, which is a reader's business.
    samples = samples.drop_duplicates("path")
    samples = samples[samples["sha256"].duplicated(keep=False)]
    problems, inside = [], []
    for _, group in samples.groupby("sha256", sort=False):
        if group["split"].nunique() == 1:
            inside.append(group)
            continue
        first, *others = group.to_dict("records")
        equal = ", ".join(f"{each['path']} ({each['split']})" for each in others[:_MOST_NAMED])
        more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
        what = f"({first['split']}) is bit-equal to {equal}{more}"
        problems.append(Problem("same image in two splits", str(radiographs.root / first["path"]), what))
    return problems, _notes(inside, radiographs.patients_known)


def patients_on_two_sides(radiographs: Radiographs) -> list[Problem]:
    """A problem for each patient with images in more than one split."""
    if not radiographs.patients_known:
        return []
    samples = radiographs.samples[radiographs.samples["split"].notna()]
    pairs = samples[["patient_id", "split"]].drop_duplicates()
    torn = pairs["patient_id"][pairs["patient_id"].duplicated()].unique()
    of_torn = samples[samples["patient_id"].isin(torn)]
    problems = []
    for patient, group in of_torn.groupby("patient_id", sort=False):
        sides = [
            f"{split} ({len(part)}, such as {part['sample_id'].iloc[0]})" for split, part in group.groupby("split")
        ]
        problems.append(Problem("patient on two sides", f"patient {patient}", f"has images in {' and '.join(sides)}"))
    return problems


def _notes(inside: list[pd.DataFrame], patients_known: bool) -> list[str]:
    if not inside:
        return []
    images = sum(len(group) for group in inside)
    equal = " = ".join(inside[0]["path"].iloc[:2])
    groups = "1 group" if len(inside) == 1 else f"{len(inside)} groups"
    notes = [f"{groups} of bit-equal images inside a split, {images} images, such as {equal}"]
    torn = [group for group in inside if group["patient_id"].nunique() > 1]
    if torn and patients_known:
        count = "1 group of these stands" if len(torn) == 1 else f"{len(torn)} groups of these stand"
        named = " and ".join(dict.fromkeys(torn[0]["patient_id"]))
        notes.append(f"{count} under several patients, such as {named}")
    return notes
