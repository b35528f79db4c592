"""SIIM-FISABIO-RSNA COVID-19 (Lakhani 2021): four appearances a study, boxes, patients in the DICOM files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from ...foundation.errors import UserError
from ..card import DatasetCard, read_card
from ..dicom.headers import UNREADABLE, read_headers
from ..held_out import held_out
from ..phantom.case import PhantomCase, PhantomPlan
from ..problems import Problems
from ..radiographs import Radiographs
from ..reading import Reading
from ..source import Source, datasets
from ..tables import at_row, extract, label_values, listed_once, read_table
from ._siim_covid_boxes import OPACITY, Corners, agree, clipped, parse_boxes, parse_label
from ._siim_covid_phantom import COLUMN_OF_LABEL, plan, write

_STUDIES = "train_study_level.csv"
_IMAGES = "train_image_level.csv"
_IMAGE_COLUMNS = ("id", "boxes", "label", "StudyInstanceUID")
_LEVELS = 3
_ELEMENTS = ("PatientID", "Rows", "Columns")
# A box drawn beyond the edge of its image is cut there; one by more than this share of the side, and by more than two
# pixels, is of another image or size.
_BEYOND, _BEYOND_PIXELS = 0.05, 2.0


class SiimCovid(Source):
    """Single-label by study: negative for pneumonia, or typical, indeterminate or atypical for COVID-19.

    The test set is held out by patient, because the official test images have no labels. Patients stand in the DICOM
    files only, whose headers are read. `samples` has a further column `unboxed_sibling`: True for an image without
    boxes of a study that is not negative and whose boxes stand on another image; it says nothing about opacities.
    """

    name: ClassVar[str] = "siim_covid"
    card: ClassVar[DatasetCard] = read_card("siim_covid")
    labels: ClassVar[tuple[str, ...]] = tuple(COLUMN_OF_LABEL)
    exclusive: ClassVar[bool] = True

    def read(self, root: Path, reading: Reading) -> Radiographs:
        """Read both tables and the header of each training image; nothing is decoded."""
        tree = _find_tree(root)
        rows = _read_images(tree / _IMAGES, reading.problems)
        targets = self._study_labels(tree / _STUDIES, rows, reading.problems)
        above = tree.relative_to(root).as_posix()
        paths = _locate(tree, rows, "" if above == "." else f"{above}/")
        headers = read_headers(root, paths, _ELEMENTS, progress=reading.progress, cache=reading.cache)
        boxes, stated = _read_boxes(rows.assign(**_sizes(headers)), tree / _IMAGES, reading.problems)
        patients = _patients(root, paths, rows, headers, reading.problems)
        samples = pd.DataFrame(
            {
                "sample_id": rows["image"],
                "patient_id": patients,
                "study_id": rows["study"],
                "path": paths,
                "split": held_out(self.name, patients),
                "view": "frontal",
            }
        )
        samples = pd.concat([samples, targets], axis=1)
        samples["unboxed_sibling"] = _unboxed_siblings(samples, stated)
        samples = samples.reset_index(drop=True)
        notes = ("test set: held out by patient, because the official test images have no labels",)
        layout = "Kaggle, test images held out of the training images by patient"
        return Radiographs(self.name, root, samples, self.labels, True, layout=layout, notes=notes, boxes=boxes)

    def _study_labels(self, path: Path, rows: pd.DataFrame, problems: Problems) -> pd.DataFrame:
        """The four labels of each image, by its study: [N] rows with the index of `rows`, NaN where they are wrong."""
        table = read_table(path, ("id", *COLUMN_OF_LABEL.values()), text=("id",))
        studies = table["id"].str.removesuffix("_study").fillna("")
        # A problem of a study is one of each of its images.
        found = Problems()
        targets = label_values(table, COLUMN_OF_LABEL.values(), (1.0, 0.0), path, studies, found)
        reported = {problem.sample_id for problem in found}
        one = (targets.sum(axis=1) == 1) & targets.notna().all(axis=1)
        for at in np.flatnonzero(~one & ~studies.isin(reported)):
            what = f"study {studies.iloc[at]} has not exactly one of the four labels"
            found.add("study without one label", at_row(path, at), what, studies.iloc[at])
        table = listed_once(table, studies, path, found)
        images_of = rows.groupby("study")["image"].agg(list).to_dict()
        for problem in found:
            for image in images_of.get(problem.sample_id, [problem.sample_id]):
                problems.add(problem.kind, problem.where, problem.what, image)
        targets = targets.where(one, np.nan).loc[table.index].set_axis(studies.loc[table.index])
        absent = ~rows["study"].isin(targets.index)
        for index in rows.index[absent]:
            what = f"{rows['image'][index]}: its study {rows['study'][index] or '(blank)'} is not in {path.name}"
            where = at_row(path.with_name(_IMAGES), index)
            problems.add("image without study", where, what, rows["image"][index])
        values = targets.reindex(rows["study"]).to_numpy(dtype=np.float64)
        return pd.DataFrame(values, index=rows.index, columns=list(self.labels))

    def plan_phantom(self, n: int, seed: int) -> PhantomPlan:
        """Classes about as frequent as in the real set; a fifth of the images for the test, by patient."""
        return plan(n, seed)

    def write_phantom(self, cases: Iterable[PhantomCase], root: Path) -> None:
        """Write both tables and DICOM files of several kinds, some studies with siblings that have no boxes."""
        write(cases, root)


def _find_tree(root: Path) -> Path:
    """The folder that holds both tables and train/: `root`, or one up to two levels below it, the outermost first."""
    level = [root]
    for _ in range(_LEVELS):
        for folder in level:
            if (folder / _IMAGES).is_file() or (folder / _STUDIES).is_file():
                if not (folder / "train").is_dir():
                    raise UserError(f"siim_covid: no folder {folder / 'train'}; give the folder with the images too")
                return folder
        level = [
            child
            for folder in level
            for child in sorted(folder.iterdir())
            if child.is_dir() and child.name not in ("train", "test", "__MACOSX")
        ]
    raise UserError(
        f"siim_covid: no {_IMAGES} in {root} or in a folder below; give the folder that holds it and train/"
    )


def _read_images(path: Path, problems: Problems) -> pd.DataFrame:
    """image, study, boxes and label (all text) of each image; the index is the row's place in the file."""
    table = read_table(path, _IMAGE_COLUMNS, text=_IMAGE_COLUMNS)
    names = extract(table["id"], r"^(?P<image>[^/\\\s]+?)(?:_image)?$")["image"]
    wrong = names.isna()
    for index in table.index[wrong]:
        shown = table["id"][index]
        what = "id is blank" if pd.isna(shown) else f"id {shown!r} is no image's (its 12 digits, then _image)"
        problems.add("wrong id", at_row(path, index), what, "" if pd.isna(shown) else str(shown))
    if wrong.all():
        raise UserError(f"{path}: the column id names no image; download it again")
    rows = pd.DataFrame({"image": names, "study": table["StudyInstanceUID"].fillna("")})
    rows = rows.assign(boxes=table["boxes"], label=table["label"])[~wrong]
    again = rows["image"].duplicated()
    for index in rows.index[again]:
        image = rows["image"][index]
        problems.add("listed twice", at_row(path, index), f"{image} is listed before", image)
    return rows[~again]


def _read_boxes(rows: pd.DataFrame, path: Path, problems: Problems) -> tuple[pd.DataFrame, np.ndarray]:
    """Boxes from the literal, held against the label; and which images state any, even wrong ones: bool [N].

    `rows` has `width` and `height` of each image, infinite where they are unknown.
    """
    found: list[tuple[str, str, float, float, float, float]] = []
    literals = rows["boxes"].fillna("[]").str.strip()
    texts = rows["label"].fillna("")
    sizes = rows[["width", "height"]].itertuples(index=False)
    for index, image, literal, text, size in zip(rows.index, rows["image"], literals, texts, sizes, strict=True):
        where = at_row(path, index)
        try:
            boxes = _parsed(literal, text)
        except ValueError as error:
            problems.add("wrong box", where, f"{image}: {error}", image)
            continue
        for box in boxes:
            kind, fault = _fault(box, *size)
            if kind:
                problems.add(kind, where, f"{image}: a box {fault}", image)
            else:
                found.append((image, OPACITY, *clipped(box, *size)))
    table = pd.DataFrame(found, columns=["sample_id", "label", "x1", "y1", "x2", "y2"])
    table = table.astype({"sample_id": "str", "label": "str", **dict.fromkeys(("x1", "y1", "x2", "y2"), np.float64)})
    return table, (literals != "[]").to_numpy() | texts.str.startswith(OPACITY).to_numpy()


def _fault(box: Corners, width: float, height: float) -> tuple[str, str]:
    """What is wrong with a box in an image of this size, in few words and in more, or nothing twice."""
    x1, y1, x2, y2 = box
    shown = f"from ({x1:g}, {y1:g}) to ({x2:g}, {y2:g})"
    if x2 <= x1 or y2 <= y1:
        return "box without extent", f"{shown} has no extent"
    cut = clipped(box, width, height)
    across, down = (max(_BEYOND * side, _BEYOND_PIXELS) for side in (width, height))
    beyond = max(-x1, x2 - width) > across or max(-y1, y2 - height) > down
    if beyond or cut[2] <= cut[0] or cut[3] <= cut[1]:
        size = f" of {width:g} x {height:g} pixels" if np.isfinite(width) else ""
        return "box outside its image", f"{shown} lies outside its image{size}"
    return "", ""


def _sizes(headers: pd.DataFrame) -> dict[str, pd.Series]:
    """Width and height of the images, infinite where a file is not there or states none."""
    numbers = headers[["Columns", "Rows"]].apply(pd.to_numeric, errors="coerce").fillna(np.inf)
    return {"width": numbers["Columns"], "height": numbers["Rows"]}


def _parsed(literal: str, text: str) -> list[Corners]:
    """The boxes of both columns, if they agree; else ValueError names the column that is wrong."""
    try:
        boxes = parse_boxes(literal)
    except ValueError as error:
        raise ValueError(f"column 'boxes' {error}") from error
    try:
        label = parse_label(text)
    except ValueError as error:
        raise ValueError(f"column 'label' {error}") from error
    if not agree(boxes, label):
        raise ValueError(f"columns 'boxes' ({len(boxes)}) and 'label' ({len(label)}) state different boxes")
    return boxes


def _locate(tree: Path, rows: pd.DataFrame, above: str) -> pd.Series:
    """`train/<study>/<series>/<image>.dcm` of each image with the folder `above` before it; empty where absent."""
    found: dict[tuple[str, str], str] = {}
    wanted = set(rows["study"])
    for study in _names(tree / "train"):
        if study not in wanted:
            continue
        for series in _names(tree / "train" / study):
            for name in _names(tree / "train" / study / series):
                stem, _, suffix = name.rpartition(".")
                if suffix.lower() == "dcm":
                    found.setdefault((study, stem), f"{above}train/{study}/{series}/{name}")
    keys = zip(rows["study"], rows["image"], strict=True)
    return pd.Series([found.get(key, "") for key in keys], index=rows.index, dtype="str")


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if not entry.name.startswith("."))
    except NotADirectoryError:
        return []


def _patients(root: Path, paths: pd.Series, rows: pd.DataFrame, headers: pd.DataFrame, problems: Problems) -> pd.Series:
    """PatientID of each image; where it is unknown (each but a missing file a problem), of its study, or the study."""
    patients = headers["PatientID"]
    for index in rows.index[patients.isna() & (paths != "")]:
        what = headers[UNREADABLE][index] or "states no PatientID, so that its patient is unknown"
        problems.add("no patient", str(root / paths[index]), what, rows["image"][index])
    of_study = patients.groupby(rows["study"]).transform("first")
    return patients.fillna(of_study).fillna(rows["study"])


def _unboxed_siblings(samples: pd.DataFrame, boxed: np.ndarray) -> np.ndarray:
    """Which images have no boxes though their study is not negative and another of its images has some: bool [N]."""
    study_boxed = pd.Series(boxed, index=samples.index).groupby(samples["study_id"]).transform("any").to_numpy()
    return study_boxed & ~boxed & (samples["negative"] != 1).to_numpy()


datasets.register(SiimCovid.name, SiimCovid())
