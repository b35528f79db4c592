"""RSNA pneumonia detection challenge (Shih 2019): lung opacity, another finding or none; boxes around opacities."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from ...foundation.errors import UserError
from ..card import DatasetCard, read_card
from ..nih_mapping import NIH_COLUMN, nih_origin
from ..phantom.case import PhantomCase, PhantomPlan
from ..problems import Problems
from ..radiographs import Radiographs
from ..reading import Reading
from ..source import Source, datasets
from ..tables import at_row, known_values, label_values, located, read_table
from . import _rsna_pneumonia_phantom as phantom
from ._membership import is_among
from ._sized_boxes import sized_boxes

_LABELS = "stage_2_train_labels.csv"
_CLASSES = "stage_2_detailed_class_info.csv"
_IMAGES = "stage_2_train_images"
_MAPPING = "pneumonia-challenge-dataset-mappings_2018.json"
_CORNERS = ["x", "y", "width", "height"]
_CLASS_OF_NAME = {
    "Normal": "normal",
    "No Lung Opacity / Not Normal": "not_normal",
    "Lung Opacity": "lung_opacity",
}


class RsnaPneumonia(Source):
    """Single-label: normal, not normal without an opacity, or lung opacity; boxes of the opacities.

    The challenge's `patientId` names an image. Where RSNA's mapping file lies beside the tables, patients are NIH's
    and `nih14_id` names the image in `nih14`; else every image counts as a patient of its own.
    """

    name: ClassVar[str] = "rsna_pneumonia"
    card: ClassVar[DatasetCard] = read_card("rsna_pneumonia")
    labels: ClassVar[tuple[str, ...]] = tuple(_CLASS_OF_NAME.values())
    exclusive: ClassVar[bool] = True
    official_split: ClassVar[bool] = False

    def read(self, root: Path, reading: Reading) -> Radiographs:
        """Read both tables, each of which names an image once a box, and hold them to each other."""
        marks, info = _tables(root, reading.problems)
        ids = pd.concat([marks["patientId"], info["patientId"]], ignore_index=True).drop_duplicates(ignore_index=True)
        names = _class_of_each(ids, marks, info, root, reading.problems)
        origin = nih_origin(root, ids, _MAPPING, reading.problems)
        samples = pd.DataFrame(
            {
                "sample_id": ids,
                "patient_id": origin.patients,
                "study_id": ids,
                "path": located(root, f"{_IMAGES}/" + ids + ".dcm", root / _LABELS, ids, reading.problems),
                "split": origin.split(self.name),
                "view": "frontal",
                NIH_COLUMN: origin.images,
            }
        )
        for label in self.labels:
            samples[label] = (names == label).astype(np.float64).mask(names.isna())
        return Radiographs(
            self.name,
            root,
            samples,
            self.labels,
            self.exclusive,
            patients_known=origin.known,
            layout="stage 2",
            notes=origin.notes,
            boxes=self._boxes(marks, root / _LABELS, reading.problems),
        )

    def _boxes(self, marks: pd.DataFrame, path: Path, problems: Problems) -> pd.DataFrame:
        stated = marks[_CORNERS].notna().any(axis=1)
        negative = marks[(marks["Target"] == 0) & stated]
        for index, name in negative["patientId"].items():
            problems.add("tables disagree", at_row(path, index), f"{name} has a box and Target 0", str(name))
        positive = marks[marks["Target"] == 1]
        labels = pd.Series("lung_opacity", index=positive.index)
        return sized_boxes(positive, _CORNERS, positive["patientId"], labels, path, problems)

    def plan_phantom(self, n: int, seed: int) -> PhantomPlan:
        """The three classes in their real proportions; several images a patient."""
        return phantom.plan(n, seed, [self.card.counts[f"all/{label}"] for label in self.labels])

    def write_phantom(self, cases: Iterable[PhantomCase], root: Path) -> None:
        """Write JPEG Baseline DICOM files named by UUIDs, both tables and the mapping file."""
        phantom.write(cases, root)


def _tables(root: Path, problems: Problems) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table of boxes and the table of classes, Target and class in our words and NaN where they are not known."""
    absent = [name for name in (_LABELS, _CLASSES) if not (root / name).is_file()]
    if absent:
        raise UserError(f"rsna_pneumonia: no {absent[0]} in {root}; give the folder that holds it and {_IMAGES}/")
    path = root / _LABELS
    marks = _named(read_table(path, ("patientId", *_CORNERS, "Target"), text=("patientId",)), path, problems)
    marks["Target"] = label_values(marks, ("Target",), (0.0, 1.0), path, marks["patientId"], problems)["Target"]
    path = root / _CLASSES
    info = _named(read_table(path, ("patientId", "class"), text=("patientId", "class")), path, problems)
    known = known_values(info["class"], _CLASS_OF_NAME, path, info["patientId"], problems, "unknown label")
    info["class"] = known.map(_CLASS_OF_NAME)
    return marks, info


def _named(table: pd.DataFrame, path: Path, problems: Problems) -> pd.DataFrame:
    """The rows that name an image."""
    names = table["patientId"].fillna("")
    wrong = (names == "") | names.str.contains(r"[/\\\x00]", regex=True)
    for index, name in names[wrong].items():
        what = f"patientId {name!r} is not the name of a file" if name else "patientId is blank"
        problems.add("no image named", at_row(path, index), what)
    if wrong.all():
        raise UserError(f"{path}: the column patientId names no image; download it again")
    return table[~wrong].copy()


def _class_of_each(
    ids: pd.Series, marks: pd.DataFrame, info: pd.DataFrame, root: Path, problems: Problems
) -> pd.Series:
    """The class of each image; NaN, as one of `problems`, where the tables do not agree on one."""
    target = marks.groupby("patientId", sort=False)["Target"].agg(["min", "max"]).reindex(ids)
    stated = info.drop_duplicates().groupby("patientId", sort=False)["class"].agg(["first", "nunique"]).reindex(ids)
    names, numbers = stated["first"].to_numpy(dtype=object), stated["nunique"].to_numpy()
    low, high = target["min"].to_numpy(), target["max"].to_numpy()
    without_row = {_LABELS: ~is_among(ids, marks["patientId"]), _CLASSES: ~is_among(ids, info["patientId"])}
    faults = [
        (_LABELS, without_row[_LABELS].to_numpy(), "has no row"),
        (_CLASSES, without_row[_CLASSES].to_numpy(), "has no row"),
        (_LABELS, ~without_row[_LABELS].to_numpy() & np.isnan(high), "has no Target"),
        (_LABELS, low < high, "has rows with Target 0 and with Target 1"),
        (_CLASSES, numbers > 1, "has several classes"),
        (
            _CLASSES,
            (low == high) & (numbers == 1) & ((names == "lung_opacity") != (high == 1)),
            "disagrees with Target",
        ),
    ]
    wrong = np.zeros(len(ids), dtype=bool)
    for table, fault, what in faults:
        for name in ids[fault]:
            problems.add("tables disagree", root / table, f"{name} {what}", name)
        wrong |= fault
    return pd.Series(names, dtype="str").mask(wrong)


datasets.register(RsnaPneumonia.name, RsnaPneumonia())
