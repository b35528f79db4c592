"""VinDr-CXR (Nguyen 2022): 22 findings with boxes and 6 diagnoses, each training image read by three radiologists."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from ...foundation.errors import UserError
from ..card import DatasetCard, read_card
from ..held_out import held_out
from ..phantom.case import PhantomCase, PhantomPlan
from ..radiographs import Radiographs
from ..reading import Reading
from ..source import Source, datasets
from ..tables import at_row, known_values, label_values, read_table
from ._vindr_labels import KAGGLE, LABELS, NO_FINDING, WITHOUT_BOX
from ._vindr_phantom import plan, write_physionet

_IMAGE_LABELS = {"train": "image_labels_train.csv", "test": "image_labels_test.csv"}
_ANNOTATIONS = {"train": "annotations_train.csv", "test": "annotations_test.csv"}
_KAGGLE_TABLE = "train.csv"
_KAGGLE_LAYOUT = "Kaggle"
# The column that each table spells its own way.
_OTHER = ("Other diseases", "Other disease")
_CORNERS = {"x_min": "x1", "y_min": "y1", "x_max": "x2", "y_max": "y2"}
# The first that is there is taken.
_SUFFIXES = (".dicom", ".dcm", ".png", ".jpg", ".jpeg")
_LEVELS = 6
_FOLDERS_LOOKED_IN = 500

_UNLABELLED = "box of an image without labels"


class VinDr(Source):
    """Multi-label: the share of the readers who saw it in training images, 1 or 0 by consensus in test images.

    Reads the PhysioNet layout (28 labels, official test set), and Kaggle's (14 findings and `No finding`; test images
    are held out of those that have labels). The tables may lie anywhere near the images. No patients are known.
    `boxes` has a further column `reader`, empty for the consensus.
    """

    name: ClassVar[str] = "vindr"
    card: ClassVar[DatasetCard] = read_card("vindr")
    labels: ClassVar[tuple[str, ...]] = LABELS
    exclusive: ClassVar[bool] = False

    def read(self, root: Path, reading: Reading) -> Radiographs:
        """Read the tables of whichever layout is there and find the images; nothing is decoded."""
        found = _find(root)
        if any(name in found for name in (*_IMAGE_LABELS.values(), *_ANNOTATIONS.values())):
            return self._read_physionet(root, found, reading)
        if _KAGGLE_TABLE in found:
            return self._read_kaggle(root, found, reading)
        raise UserError(
            f"vindr: neither {_IMAGE_LABELS['train']} (PhysioNet) nor {_KAGGLE_TABLE} (Kaggle) in {root} or up to "
            f"{_LEVELS - 1} folders below; give the folder that holds the tables and train/"
        )

    def _read_physionet(self, root: Path, found: dict[str, Path], reading: Reading) -> Radiographs:
        lacking = [name for name in _IMAGE_LABELS.values() if name not in found]
        if lacking:
            raise UserError(f"vindr: no file {lacking[0]} in {root} or below; complete the PhysioNet copy")
        if not any(split in found for split in _IMAGE_LABELS):
            raise UserError(f"vindr: neither folder train nor test in {root} or below; give the folder with the images")
        train = _train_labels(found[_IMAGE_LABELS["train"]], reading)
        test = _test_labels(found[_IMAGE_LABELS["test"]], train, reading)
        notes: list[str] = []
        parts = [
            _samples(root, found.get(split), targets, split, notes)
            for split, targets in (("train", train), ("test", test))
        ]
        boxes = []
        for split, targets in (("train", train), ("test", test)):
            if _ANNOTATIONS[split] in found:
                path = found[_ANNOTATIONS[split]]
                rows = _annotations(path, LABELS, split == "train", reading)
                boxes.append(_boxes(rows, path, targets, reading))
            else:
                notes.append(f"no boxes of {split} images: no {_ANNOTATIONS[split]}")
        return self._radiographs(
            root, pd.concat(parts, ignore_index=True), LABELS, "PhysioNet", notes, pd.concat(boxes) if boxes else None
        )

    def _read_kaggle(self, root: Path, found: dict[str, Path], reading: Reading) -> Radiographs:
        if "train" not in found:
            raise UserError(f"vindr: no folder train in {root} or below; give the folder that holds the images too")
        path = found[_KAGGLE_TABLE]
        rows = _annotations(path, KAGGLE, True, reading)
        targets = _shares_of_rows(rows)
        notes = ["test set: held out of the images of train.csv, because Kaggle's test images have no labels"]
        samples = _samples(root, found["train"], targets, "train", notes)
        samples["split"] = held_out(self.name, samples["sample_id"])
        boxes = _boxes(rows, path, targets, reading)
        layout = f"{_KAGGLE_LAYOUT}, test images held out of the training images"
        return self._radiographs(root, samples, KAGGLE, layout, notes, boxes)

    def _radiographs(
        self,
        root: Path,
        samples: pd.DataFrame,
        labels: tuple[str, ...],
        layout: str,
        notes: list[str],
        boxes: pd.DataFrame | None,
    ) -> Radiographs:
        images = samples["path"][samples["path"] != ""]
        if boxes is not None and not images.str.lower().str.endswith((".dicom", ".dcm")).all():
            notes.append("boxes are in pixels of the original DICOM files, which not all of these images are")
        return Radiographs(
            self.name,
            root,
            samples,
            labels,
            self.exclusive,
            patients_known=False,
            layout=layout,
            notes=tuple(notes),
            boxes=None if boxes is None else boxes.reset_index(drop=True),
        )

    def parts(self, radiographs: Radiographs) -> pd.Series:
        """The official sets; all images of Kaggle's table are PhysioNet's training images."""
        splits = radiographs.samples["split"]
        return splits.replace("test", "train") if radiographs.layout.startswith(_KAGGLE_LAYOUT) else splits

    def plan_phantom(self, n: int, seed: int) -> PhantomPlan:
        """Three quarters training images; half of all images normal, the other half with every finding in turn."""
        return plan(n, seed)

    def write_phantom(self, cases: Iterable[PhantomCase], root: Path) -> None:
        """Write PhysioNet's layout: DICOM files of several kinds, three readers who may disagree, a consensus."""
        write_physionet(cases, root)


def _find(root: Path) -> dict[str, Path]:
    """The tables and the folders train and test, by name: each the outermost below `root`."""
    names = {*_IMAGE_LABELS.values(), *_ANNOTATIONS.values(), _KAGGLE_TABLE}
    found: dict[str, Path] = {}
    level, looked = [root], 0
    for _ in range(_LEVELS):
        here: dict[str, list[Path]] = {}
        below: list[Path] = []
        for folder in level[: _FOLDERS_LOOKED_IN - looked]:
            looked += 1
            with os.scandir(folder) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if entry.is_dir():
                        if entry.name in _IMAGE_LABELS:
                            here.setdefault(entry.name, []).append(folder / entry.name)
                        elif not entry.name.startswith((".", "__")):
                            below.append(folder / entry.name)
                    elif entry.name in names:
                        here.setdefault(entry.name, []).append(folder / entry.name)
        for name, places in here.items():
            if name not in found and len(places) > 1:
                raise UserError(
                    f"vindr: {name} is there twice, {places[0]} and {places[1]}; give the folder of one copy"
                )
            found.setdefault(name, places[0])
        level = below
    return found


def _image_labels(path: Path, key: tuple[str, ...], reading: Reading) -> pd.DataFrame:
    """The rows of one table of image labels: `key` columns, and the 28 labels as 1, 0 or NaN; none twice."""
    there = read_table(path, key, text=key)
    other = next((name for name in _OTHER if name in there), _OTHER[0])
    columns = [label if label != _OTHER[0] else other for label in LABELS]
    table = read_table(path, (*key, *columns), text=key).rename(columns={other: _OTHER[0]})
    targets = label_values(table, LABELS, (1.0, 0.0), path, table["image_id"].fillna(""), reading.problems)
    table = _identified(pd.concat([table[list(key)], targets], axis=1), key, path, reading)
    by = "by reader " + table["rad_id"] if "rad_id" in key else pd.Series("", index=table.index)
    again = table.duplicated(list(key))
    _report(reading, "listed twice", path, table, again, "is listed before " + by)
    return table[~again]


def _identified(table: pd.DataFrame, key: tuple[str, ...], path: Path, reading: Reading) -> pd.DataFrame:
    """`table` without the rows in which a `key` is blank, each one of the problems."""
    blank = table[list(key)].isna()
    for name in key:
        filled = table.assign(image_id=table["image_id"].fillna(""))
        _report(reading, "blank id", path, filled, blank[name], pd.Series(f"{name} is blank", index=table.index))
    if blank.any(axis=1).all():
        raise UserError(f"{path}: no row has {' and '.join(key)}; download it again")
    return table[~blank.any(axis=1)]


def _report(reading: Reading, kind: str, path: Path, table: pd.DataFrame, wrong: pd.Series, what: pd.Series) -> None:
    """One problem a row of `table` (index: the row's place in the file `path`) that is `wrong`."""
    for index in table.index[wrong]:
        image = str(table["image_id"][index])
        # An image without labels is no sample that could be left out.
        sample = "" if kind == _UNLABELLED else image
        reading.problems.add(kind, at_row(path, index), f"{image} {what[index]}".strip(), sample)


def _train_labels(path: Path, reading: Reading) -> pd.DataFrame:
    """The share of readers who saw each label: one row an image, its id as index."""
    table = _image_labels(path, ("image_id", "rad_id"), reading)
    return table.groupby("image_id", sort=False)[list(LABELS)].mean()


def _test_labels(path: Path, train: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """The consensus: one row an image, its id as index; an image that is listed for training too is a problem."""
    table = _image_labels(path, ("image_id",), reading)
    trained = table["image_id"].isin(train.index)
    _report(reading, "in train and test", path, table, trained, pd.Series("is a training image too", table.index))
    return table[~trained].set_index("image_id")


def _annotations(path: Path, labels: tuple[str, ...], by_readers: bool, reading: Reading) -> pd.DataFrame:
    """The rows of a table of boxes; NaN for a class not in `labels`, and `rad_id` empty for the consensus."""
    key = ("image_id", "rad_id") if by_readers else ("image_id",)
    rows = read_table(path, (*key, "class_name", *_CORNERS), text=(*key, "class_name"))
    classes = rows["class_name"].replace(dict.fromkeys(_OTHER, _OTHER[0]))
    ids = rows["image_id"].fillna("")
    rows["class_name"] = known_values(classes, labels, path, ids, reading.problems, "unknown label")
    rows = _identified(rows, key, path, reading)
    return rows if by_readers else rows.assign(rad_id="")


def _boxes(rows: pd.DataFrame, path: Path, targets: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """The boxes among `rows` (index: the row's place in the table `path`); what is wrong is reported and left out."""
    corners = rows[list(_CORNERS)].apply(pd.to_numeric, errors="coerce").astype(np.float64)
    finite = corners.notna().all(axis=1) & (corners.abs() < np.inf).all(axis=1)
    stated = rows[list(_CORNERS)].notna().any(axis=1)
    # Some copies write a box of one pixel where nothing was found.
    local = ~rows["class_name"].isin(WITHOUT_BOX) | (stated & (rows["class_name"] != NO_FINDING))
    with_box = rows["class_name"].notna() & local
    listed = rows["image_id"].isin(targets.index)
    extent = (corners["x_max"] > corners["x_min"]) & (corners["y_max"] > corners["y_min"])
    wrong = {
        _UNLABELLED: with_box & ~listed,
        "box that is not four numbers": with_box & listed & ~finite,
        "box without extent": with_box & listed & finite & ~extent,
    }
    for kind, places in wrong.items():
        flagged = rows[places]
        shown = (
            flagged[list(_CORNERS)].astype("object").fillna("blank").astype("str").agg(", ".join, axis=1)
            if len(flagged)
            else flagged["image_id"]
        )
        said = flagged["class_name"] + f": {kind} ({', '.join(_CORNERS)}: " + shown + ")"
        _report(reading, kind, path, flagged, places[places], said)
    good = with_box & listed & finite & extent
    table = corners[good].rename(columns=_CORNERS)
    table.insert(0, "sample_id", rows["image_id"][good])
    table.insert(1, "label", rows["class_name"][good])
    return table.assign(reader=rows["rad_id"][good])


def _shares_of_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Kaggle's rows (one a box, or one a reader who found nothing) as shares of readers: an image a row."""
    order = rows["image_id"].unique()
    readers = rows[["image_id", "rad_id"]].drop_duplicates().groupby("image_id").size()
    votes = rows[["image_id", "rad_id", "class_name"]].dropna().drop_duplicates()
    counts = votes.groupby(["image_id", "class_name"]).size().unstack(fill_value=0)
    counts = counts.reindex(index=order, columns=list(KAGGLE), fill_value=0)
    return counts.div(readers.reindex(order), axis=0).astype(np.float64).rename_axis(index="image_id", columns=None)


def _samples(root: Path, folder: Path | None, targets: pd.DataFrame, split: str, notes: list[str]) -> pd.DataFrame:
    """Samples of the images that `targets` lists, with the paths of those that are in `folder`, if there is one."""
    ids = pd.Series(targets.index, dtype="str")
    samples = pd.DataFrame({"sample_id": ids, "patient_id": ids, "study_id": ids, "path": "", "split": split})
    if folder is not None:
        files = _files(folder)
        samples["path"] = (folder.relative_to(root).as_posix() + "/" + ids.map(files).astype("str")).fillna("")
        unlisted = files.index.difference(targets.index)
        if len(unlisted):
            notes.append(f"{len(unlisted)} images of {folder.name}/ are in no table and left out")
    return pd.concat([samples.assign(view="frontal"), targets.reset_index(drop=True)], axis=1)


def _files(folder: Path) -> pd.Series:
    """The names of the image files in `folder`, one an image id, which is the index."""
    with os.scandir(folder) as entries:
        names = pd.Series(sorted(entry.name for entry in entries if not entry.name.startswith(".")), dtype="str")
    suffixes = names.str.extract(r"(\.[^.]*)$", expand=False).str.lower()
    choice = suffixes.map({suffix: place for place, suffix in enumerate(_SUFFIXES)})
    files = pd.DataFrame({"name": names, "stem": names.str.replace(r"\.[^.]*$", "", regex=True), "choice": choice})
    return files.dropna().sort_values("choice", kind="stable").drop_duplicates("stem").set_index("stem")["name"]


datasets.register(VinDr.name, VinDr())
