"""Six classes of adult radiographs (the task of the IFA paper) on a user's own images, in our layout."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from ...foundation.errors import UserError
from ...foundation.files import new_file
from ..card import DatasetCard, read_card
from ..phantom.case import PhantomCase, PhantomPlan, PhantomRequest
from ..problems import INCOMPLETE
from ..radiographs import SPLITS, Radiographs
from ..reading import Reading
from ..source import Source, datasets
from ..tables import at_row, first_three, known_values, listed_once, located, read_table
from ._phantoms import images_per_patient, sex, shares, write_image

_TABLES = ("labels.csv", "labels.parquet")
_COLUMNS = ("image", "label", "patient_id", "split")
_VIEWS = ("frontal", "lateral", "unknown")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".tif", ".tiff", ".bmp")


class SixClass(Source):
    """Single-label. Either `labels.csv` (or `.parquet`) beside `images/`, or the folders `{train,val,test}/<class>/`.

    In the table the column `image` names a file below `images/`; `view` may be left out. Folders name no
    patients, so there every image counts as a patient of its own.
    """

    name: ClassVar[str] = "six_class"
    card: ClassVar[DatasetCard] = read_card("six_class")
    labels: ClassVar[tuple[str, ...]] = (
        "normal",
        "nodule",
        "consolidation",
        "interstitial_opacity",
        "pleural_effusion",
        "pneumothorax",
    )
    exclusive: ClassVar[bool] = True

    def read(self, root: Path, reading: Reading) -> Radiographs:
        """Read labels.csv or labels.parquet where there is one, else list the class folders."""
        tables = [root / name for name in _TABLES if (root / name).is_file()]
        folders = [split for split in SPLITS if (root / split).is_dir()]
        if len(tables) > 1:
            raise UserError(f"six_class: {root} has {' and '.join(_TABLES)}; take one away")
        if tables:
            place, notes, layout = tables[0], [], tables[0].name
            samples, known = self._from_table(root, place, reading)
        elif folders:
            samples, known, place, layout = self._from_folders(root), False, root, "a folder a class"
            notes = ["no patients are known: every image counts as a patient of its own"]
        else:
            raise UserError(
                f"six_class: {root} has neither labels.csv (columns {', '.join(_COLUMNS)}) nor train/, val/ and test/ "
                "with a folder a class; lay the images out in one of the two ways"
            )
        self._note_empty_classes(samples, place, reading)
        for label in self.labels:
            samples[label] = (samples["label"] == label).astype(np.float64)
        columns = ["sample_id", "patient_id", "study_id", "path", "split", "view", *self.labels]
        return Radiographs(self.name, root, samples[columns], self.labels, True, known, layout, notes=tuple(notes))

    def _from_table(self, root: Path, path: Path, reading: Reading) -> tuple[pd.DataFrame, bool]:
        """The samples of the table, and whether it knows the patients."""
        table = read_table(path, _COLUMNS, text=(*_COLUMNS, "view"))
        known = bool(table["patient_id"].notna().any())
        if table["image"].isna().all():
            raise UserError(f"{path}: the column image is blank throughout; fill it in")
        table = _filled_in(table, "image", path, table["image"], reading)
        images = table["image"].str.removeprefix("images/")
        ids = images.str.replace(r"\.[^./]*$", "", regex=True)
        table = listed_once(table, ids, path, reading.problems)
        images, ids = images.loc[table.index], ids.loc[table.index]
        labels = known_values(table["label"], self.labels, path, ids, reading.problems, "unknown label")
        splits = known_values(table["split"], SPLITS, path, ids, reading.problems, "unknown split")
        views = table["view"].fillna("unknown") if "view" in table else pd.Series("unknown", index=table.index)
        views = known_values(views.rename("view"), _VIEWS, path, ids, reading.problems, "unknown view")
        if known:
            _filled_in(table, "patient_id", path, ids, reading)
        # A row without its patient is a problem already; it counts as one of its own until it is left out.
        patients = table["patient_id"].fillna(ids)
        paths = located(root, "images/" + images, path, ids, reading.problems)
        samples = pd.DataFrame(
            {"sample_id": ids, "patient_id": patients, "study_id": patients + "/" + ids, "path": paths, "view": views}
        )
        return samples.assign(split=splits, label=labels), known

    def _from_folders(self, root: Path) -> pd.DataFrame:
        rows = []
        for split in SPLITS:
            found = _names_in(root / split, folders=True)
            if unknown := sorted(set(found) - set(self.labels)):
                raise UserError(
                    f"{root / split} has folders that are no class: {first_three(unknown)}; "
                    f"the classes are {', '.join(self.labels)}"
                )
            rows += [(split, label, name) for label in found for name in _names_in(root / split / label)]
        table = pd.DataFrame(rows, columns=["split", "label", "name"], dtype="str")
        table["path"] = table["split"] + "/" + table["label"] + "/" + table["name"]
        ids = table["path"].str.replace(r"\.[^./]*$", "", regex=True)
        return table.assign(sample_id=ids, patient_id=ids, study_id=ids, view="unknown")

    def _note_empty_classes(self, samples: pd.DataFrame, place: Path, reading: Reading) -> None:
        counts = pd.crosstab(samples["split"], samples["label"])
        counts = counts.reindex(index=list(SPLITS), columns=list(self.labels), fill_value=0)
        empty = [f"{split}/{label}" for split in SPLITS for label in self.labels if counts.at[split, label] == 0]
        if empty:
            what = f"no image of {first_three(empty)}; train, val and test each need every one of the six classes"
            reading.problems.add(INCOMPLETE, place, what)

    def plan_phantom(self, n: int, seed: int) -> PhantomPlan:
        """63 % training images, unequal from 1540 to 280; 12 % validation and 25 % test images, balanced."""
        generator = np.random.default_rng(seed)
        # The paper states the two ends only; the classes between are ours.
        unequal = np.array([1540, 760, 560, 280, 980, 400])
        weights = [*(0.63 * unequal / unequal.sum()), *[0.12 / 6] * 6, *[0.25 / 6] * 6]
        plan: PhantomPlan = []
        patient = 0
        for part, count in enumerate(shares(n, weights, self.name)):
            split, label = SPLITS[part // 6], self.labels[part % 6]
            for images in images_per_patient(count, mean=1.2, generator=generator):
                patient += 1
                age, person = int(np.clip(generator.normal(58, 16), 18, 95)), sex(generator)
                plan += [
                    PhantomRequest(patient, 1, image, split, findings=_FINDINGS[label], age=age, sex=person)
                    for image in range(1, images + 1)
                ]
        return plan

    def write_phantom(self, cases: Iterable[PhantomCase], root: Path) -> None:
        """Write PNG images and labels.csv."""
        label_of = {findings: label for label, findings in _FINDINGS.items()}
        rows = []
        for case in cases:
            ask = case.request
            patient = f"P{ask.patient:05d}"
            image = f"{patient}_{ask.study}_{ask.image}.png"
            write_image(root / "images" / image, case.pixels)
            rows.append((image, label_of[ask.findings], patient, ask.split, ask.view))
        with new_file(root / "labels.csv") as path:
            pd.DataFrame(rows, columns=[*_COLUMNS, "view"]).to_csv(path, index=False)


_FINDINGS: dict[str, tuple[str, ...]] = {
    "normal": (),
    "nodule": ("nodule",),
    "consolidation": ("consolidation",),
    "interstitial_opacity": ("interstitial",),
    "pleural_effusion": ("effusion",),
    "pneumothorax": ("pneumothorax",),
}


def _filled_in(table: pd.DataFrame, column: str, path: Path, ids: pd.Series, reading: Reading) -> pd.DataFrame:
    """The rows of `table` in which `column` is not blank; each other one is a problem."""
    blank = table[column].isna()
    for index in table.index[blank]:
        sample = ids[index]
        what = f"column {column!r} is blank; fill it in"
        reading.problems.add(f"blank {column}", at_row(path, index), what, "" if pd.isna(sample) else str(sample))
    return table[~blank] if blank.any() else table


def _names_in(folder: Path, folders: bool = False) -> list[str]:
    """Sorted names of the images in `folder`, or of its folders; none where it is absent."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        shown = [entry for entry in entries if not entry.name.startswith(".")]
        if folders:
            return sorted(entry.name for entry in shown if entry.is_dir())
        return sorted(entry.name for entry in shown if entry.name.lower().endswith(_SUFFIXES))


datasets.register(SixClass.name, SixClass())
