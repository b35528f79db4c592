"""NIH ChestX-ray14 (Wang 2017): 14 findings from reports, official lists of training and test images, some boxes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from ...foundation.errors import UserError
from ..card import DatasetCard, read_card
from ..phantom.case import PhantomCase, PhantomPlan
from ..radiographs import Radiographs
from ..reading import Reading
from ..source import Source, datasets
from ..tables import at_row, extract, first_three, known_values, listed_once, read_table
from . import _nih14_phantom as phantom
from ._membership import is_among, position_among
from ._sized_boxes import sized_boxes

# The later release first; the last is the table of Kaggle's sample of 5,606 images.
_TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv", "sample_labels.csv")
_LISTS = {"train": "train_val_list.txt", "test": "test_list.txt"}
_BOXES = "BBox_List_2017.csv"
_NAME = r"^(?P<stem>(?P<patient>\d{8})_\d{3})\.png$"
_LISTED = r"^(?:.*[/\\])?(?P<name>\d{8}_\d{3}\.png)$"
_BOX_LABELS = {"Infiltrate": "Infiltration"}
_NO_FINDING = "No Finding"


class Nih14(Source):
    """Multi-label: 1 or 0 for each of the 14 findings, and `No Finding` where a report has none of them.

    Images lie in `images/` or in `images_001/images/` to `images_012/images/`; boxes, on test images only, are in
    pixels of the 1024 x 1024 images.
    """

    name: ClassVar[str] = "nih14"
    card: ClassVar[DatasetCard] = read_card("nih14")
    labels: ClassVar[tuple[str, ...]] = (
        "Atelectasis",
        "Cardiomegaly",
        "Effusion",
        "Infiltration",
        "Mass",
        "Nodule",
        "Pneumonia",
        "Pneumothorax",
        "Consolidation",
        "Edema",
        "Emphysema",
        "Fibrosis",
        "Pleural_Thickening",
        "Hernia",
        _NO_FINDING,
    )
    exclusive: ClassVar[bool] = False

    def read(self, root: Path, reading: Reading) -> Radiographs:
        """Read the table, the two lists and the boxes, and find each image; images in neither list are left away."""
        path = _find_table(root)
        table = read_table(path, ("Image Index", "Finding Labels"), text=("Image Index", "Finding Labels"))
        table = _with_known_names(table, path, reading)
        table = listed_once(table, table["Image Index"], path, reading.problems)
        split, notes = _split(root, table["Image Index"], path)
        table, split = table[split.notna()], split.dropna()
        paths, folders, unlisted = _locate(root, table["Image Index"])
        if unlisted:
            notes.append(f"{unlisted} images on disk are not used: {path.name} or the lists do not name them")
        samples = pd.DataFrame(
            {
                "sample_id": table["stem"],
                "patient_id": table["patient"],
                "study_id": table["stem"],
                "path": paths,
                "split": split,
                "view": "frontal",
            }
        )
        samples = pd.concat([samples, self._targets(table, path, reading)], axis=1).reset_index(drop=True)
        boxes = self._boxes(root, samples["sample_id"], reading, notes)
        layout = f"{path.name}, images in {folders}"
        return Radiographs(
            self.name, root, samples, self.labels, self.exclusive, layout=layout, notes=tuple(notes), boxes=boxes
        )

    def _targets(self, table: pd.DataFrame, path: Path, reading: Reading) -> pd.DataFrame:
        """One float column a label: NaN in the rows whose findings are unknown or contradict each other."""
        codes, stated = pd.factorize(table["Finding Labels"].fillna(""))
        rows = []
        faults = {}
        for number, text in enumerate(stated):
            found = {word.strip() for word in text.split("|")}
            unknown = sorted(found - set(self.labels))
            if unknown:
                faults[number] = f"{unknown[0]!r} is no finding" if unknown[0] else "a finding is blank"
            elif _NO_FINDING in found and len(found) > 1:
                faults[number] = f"{text!r} states findings and none"
            rows.append([np.nan if number in faults else float(label in found) for label in self.labels])
        for at in np.flatnonzero(np.isin(codes, list(faults))).tolist():
            what = f"column 'Finding Labels': {faults[codes[at]]}; known: {', '.join(self.labels)}, joined by |"
            reading.problems.add("unknown label", at_row(path, table.index[at]), what, table["stem"].iloc[at])
        return pd.DataFrame(np.array(rows)[codes], columns=list(self.labels), index=table.index)

    def _boxes(self, root: Path, ids: pd.Series, reading: Reading, notes: list[str]) -> pd.DataFrame | None:
        path = root / _BOXES
        if not path.is_file():
            notes.append(f"no {_BOXES}: no boxes")
            return None
        table = read_table(path, ("Image Index", "Finding Label"), text=("Image Index", "Finding Label"))
        # The heading `Bbox [x,y,w,h]` has no quotes and falls into four columns, whose names nobody would guess.
        first = list(table.columns).index("Finding Label") + 1
        columns = [str(name) for name in table.columns[first : first + 4]]
        if len(columns) < 4:
            raise UserError(f"{path} has no four columns with x, y, w, h behind 'Finding Label'; download it again")
        stems = table["Image Index"].fillna("").str.replace(r"\.png$", "", regex=True)
        labels = table["Finding Label"].replace(_BOX_LABELS)
        labels = known_values(labels, self.labels[:-1], path, stems, reading.problems, "unknown label")
        here = is_among(stems, ids)
        if not here.all():
            notes.append(f"{int((~here).sum())} of {len(table)} boxes are on images that are not in this copy")
        right = here & labels.notna()
        return sized_boxes(table[right], columns, stems[right], labels[right], path, reading.problems)

    def plan_phantom(self, n: int, seed: int) -> PhantomPlan:
        """77 % training images; findings about as frequent as the labels, none of them below 4 %."""
        return phantom.plan(n, seed)

    def write_phantom(self, cases: Iterable[PhantomCase], root: Path) -> None:
        """Write PNGs in the numbered folders, some RGBA; the tables of 2017; both lists; boxes of the test images."""
        phantom.write(cases, root)


def _find_table(root: Path) -> Path:
    found = [root / name for name in _TABLES if (root / name).is_file()]
    if not found:
        raise UserError(
            f"nih14: no {_TABLES[1]} and no {_TABLES[0]} in {root}; give the folder that holds the table and the images"
        )
    return found[0]


def _with_known_names(table: pd.DataFrame, path: Path, reading: Reading) -> pd.DataFrame:
    """`table` with the columns stem and patient, without the rows whose `Image Index` is no image of the set."""
    fields = extract(table["Image Index"], _NAME)
    unknown = fields["stem"].isna().to_numpy()
    for at in np.flatnonzero(unknown).tolist():
        name = table["Image Index"].iloc[at]
        what = f"column 'Image Index': {name!r} is not named like 00000001_000.png"
        reading.problems.add("unknown name", at_row(path, table.index[at]), what, "" if pd.isna(name) else name)
    if unknown.all():
        raise UserError(
            f"{path}, column 'Image Index': no name like 00000001_000.png, the first is "
            f"{str(table['Image Index'].iloc[0])!r}; download the table again"
        )
    return pd.concat([table, fields], axis=1)[~unknown]


def _split(root: Path, names: pd.Series, path: Path) -> tuple[pd.Series, list[str]]:
    """train or test of each image, NaN in neither list, and what there is to note of them."""
    lists = {split: _read_list(root / name) for split, name in _LISTS.items()}
    both = lists["test"][is_among(lists["test"], lists["train"])]
    if len(both):
        train, test = (root / name for name in _LISTS.values())
        same = len(both) == len(lists["test"]) == len(lists["train"])
        what = (
            f"are the same list of {len(both)} images"
            if same
            else (f"share {len(both)} of the {len(lists['test'])} test images: {first_three(both)}")
        )
        raise UserError(f"{train} and {test} {what}; nothing tested on may be trained on: take the official lists")
    split = pd.Series(np.nan, index=names.index, dtype="str")
    for part, listed in lists.items():
        split = split.mask(is_among(names, listed), part)
    left = split.isna()
    if left.all():
        raise UserError(f"{path} and the lists {', '.join(_LISTS.values())} have no image in common; use one release")
    notes = []
    if left.any():
        notes.append(
            f"{int(left.sum())} of {len(names)} images are in neither list and left away: {first_three(names[left])}"
        )
    total = sum(map(len, lists.values()))
    if (beyond := total - int((~left).sum())) > 0:
        notes.append(f"{beyond} of the {total} images of the two lists are not in {path.name}")
    return split, notes


def _read_list(path: Path) -> pd.Series:
    """The names in a text file, one a line, each once."""
    try:
        lines = pd.Series(path.read_text(encoding="utf-8-sig").split("\n"), dtype="str").str.strip()
    except FileNotFoundError:
        raise UserError(
            f"no file {path}; it says which images are for training and which for the test: put it beside the table"
        ) from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file ({error.reason}); download it again") from error
    given = lines != ""
    names = extract(lines, _LISTED)["name"]
    unknown = given & names.isna()
    if unknown.any() or not given.any():
        at = int(unknown.to_numpy().argmax())
        what = f", row {at + 1}: {lines[at]!r} is not named like 00000001_000.png" if unknown.any() else " is empty"
        raise UserError(f"{path}{what}; download it again")
    return names[given].drop_duplicates()


def _locate(root: Path, names: pd.Series) -> tuple[pd.Series, str, int]:
    """Path of each image below `root` (empty where it is in no folder), the folders in words, and unused images."""
    held = [(folder, images) for folder in _image_folders(root) if (images := _images_in(f"{root}/{folder}"))]
    there = pd.Series([name for _, images in held for name in images], dtype="str")
    folder_of = np.repeat(np.arange(len(held)), [len(images) for _, images in held])
    at = position_among(names, there)
    folders = pd.Series([f"{folder}/" for folder, _ in held] + [""], dtype="str")
    # The last entry, an empty folder, is where images that are nowhere are taken from.
    above = folders.iloc[np.append(folder_of, len(held))[at]].set_axis(names.index)
    paths = (above + names).mask(at < 0, "")
    shown = f"{held[0][0]} to {held[-1][0]}" if len(held) > 1 else "".join(folder for folder, _ in held) or "no folder"
    return paths, shown, there.nunique() - int((at >= 0).sum())


def _images_in(folder: str) -> list[str]:
    return [name for name in os.listdir(folder) if name.endswith(".png") and not name.startswith(".")]  # noqa: PTH208


def _image_folders(root: Path) -> list[str]:
    """Folders in which images may lie, relative to `root`, in order."""
    with os.scandir(root) as entries:
        above = sorted(entry.name for entry in entries if entry.name.startswith("images") and entry.is_dir())
    return [folder for name in above for folder in (name, f"{name}/images") if (root / folder).is_dir()]


datasets.register(Nih14.name, Nih14())
