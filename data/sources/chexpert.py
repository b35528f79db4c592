"""CheXpert (Irvin 2019): 14 labels from reports, with uncertain and blank ones; radiologists' labels for the test."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import pandas as pd

from ...foundation.errors import UserError
from ...foundation.files import new_file
from ..card import DatasetCard, read_card
from ..phantom.case import PhantomCase, PhantomPlan
from ..radiographs import Radiographs
from ..reading import Reading
from ..source import Source, datasets
from ..tables import at_row, extract, label_values, listed_once, missing_files, read_table
from ._chexpert_phantom import mentioned, plan
from ._phantoms import write_image

_TREE = "CheXpert-v1.0-small"
_TABLES = {"train": "train.csv", "valid": "valid.csv", "test": "test_labels.csv"}
# `CheXpert-v1.0-small/train/` is a prefix that not every copy has on disk.
_STUDY = r"(?P<study>(?P<patient>patient\d+)/study\d+)"
_IMAGE = rf"^(?:.*/)?(?P<below>(?P<image>{_STUDY}/view\d+_(?P<view>frontal|lateral))\.\w+)$"
_DESCRIPTION = ("Sex", "Age", "Frontal/Lateral", "AP/PA")


class CheXpert(Source):
    """Multi-label: 1 present, 0 absent, -1 uncertain, blank not mentioned.

    Reads the small tree, and the full one in its batches, from the tree itself or from the folder above.
    Where `test_labels.csv` is, its images are the test set; else those of `valid.csv` are.
    """

    name: ClassVar[str] = "chexpert"
    card: ClassVar[DatasetCard] = read_card("chexpert")
    labels: ClassVar[tuple[str, ...]] = (
        "No Finding",
        "Enlarged Cardiomediastinum",
        "Cardiomegaly",
        "Lung Opacity",
        "Lung Lesion",
        "Edema",
        "Consolidation",
        "Pneumonia",
        "Atelectasis",
        "Pneumothorax",
        "Pleural Effusion",
        "Pleural Other",
        "Fracture",
        "Support Devices",
    )
    exclusive: ClassVar[bool] = False

    def read(self, root: Path, reading: Reading) -> Radiographs:
        """Read the tables and find each image, in whichever tree or batch it lies; nothing is decoded."""
        if root.name.startswith("CheXpert-v1.0 batch "):
            root = root.parent
        trees = _trees_in(root)
        tables = {part: _find_table(trees, name, root) for part, name in _TABLES.items()}
        wanted = "train.csv" if tables["train"] is None else "valid.csv or test_labels.csv"
        if tables["train"] is None or not (tables["valid"] or tables["test"]):
            raise UserError(
                f"chexpert: no {wanted} in {root} or in a folder CheXpert-v1.0* in it; "
                f"give the folder that holds {_TREE}/, or the batches of the full copy"
            )
        parts = [self._read_part(part, path, root, trees, reading) for part, path in tables.items() if path]
        samples = pd.concat(parts, ignore_index=True)
        from_part = samples["sample_id"].str.partition("/")[0]
        if tables["test"] is None:
            role = {"train": "train", "valid": "test"}
            notes = ["test set: valid.csv, for want of test_labels.csv"]
        else:
            role = {"train": "train", "valid": "val", "test": "test"}
            notes = ["test set: test_labels.csv"]
        samples["split"] = from_part.map(role)
        columns = ["sample_id", "patient_id", "study_id", "path", "split", "view", *self.labels]
        layout = "full copy in batches" if any("batch" in tree.name for tree in trees) else "one tree"
        return Radiographs(
            self.name, root, samples[columns], self.labels, self.exclusive, layout=layout, notes=tuple(notes)
        )

    def _read_part(self, part: str, table: Path, root: Path, trees: list[Path], reading: Reading) -> pd.DataFrame:
        """The rows of one of the three tables as samples, without their split."""
        rows = read_table(table, ("Path", *self.labels), text=("Path",))
        fields = extract(rows["Path"], _IMAGE)
        rows = _named_right(rows, fields["image"].notna(), part, table, reading)
        fields = fields.loc[rows.index]
        ids = f"{part}/" + fields["image"]
        rows = listed_once(rows, ids, table, reading.problems)
        fields, ids = fields.loc[rows.index], ids.loc[rows.index]
        paths = _locate(root, _image_folders(trees, part), fields["patient"], fields["below"]).fillna("")
        samples = pd.DataFrame(
            {
                "sample_id": ids,
                "patient_id": fields["patient"],
                "study_id": fields["study"],
                "path": paths,
                "view": fields["view"],
            }
        )
        targets = label_values(rows, self.labels, (1.0, 0.0, -1.0), table, ids, reading.problems)
        return pd.concat([samples, targets], axis=1)

    def parts(self, radiographs: Radiographs) -> pd.Series:
        """The tables that the samples come from: train, valid, test."""
        return radiographs.samples["sample_id"].str.partition("/")[0]

    def plan_phantom(self, n: int, seed: int) -> PhantomPlan:
        """68 % train, 4 % valid and 28 % test images; findings about as frequent as in the real training set."""
        return plan(n, seed)

    def write_phantom(self, cases: Iterable[PhantomCase], root: Path) -> None:
        """Write the small tree with its three tables; uncertain and blank labels are as in the real ones."""
        part_of = {"train": "train", "val": "valid", "test": "test"}
        rows: dict[str, list[list[str | float]]] = {part: [] for part in _TABLES}
        for case in cases:
            ask = case.request
            part = part_of[ask.split]
            image = f"{part}/patient{ask.patient:05d}/study{ask.study}/view{ask.image}_{ask.view}.jpg"
            write_image(root / _TREE / image, case.pixels)
            frontal = ask.view == "frontal"
            projection = ("AP" if ask.portable else "PA") if frontal else ""
            person: list[str | float] = ["Female" if ask.sex == "F" else "Male", ask.age, ask.view.title(), projection]
            described = [f"{_TREE}/{image}", *person] if part != "test" else [image]
            rows[part].append([*described, *mentioned(ask, self.labels)])
        for part, name in _TABLES.items():
            if not rows[part]:
                continue
            columns = ["Path", *(_DESCRIPTION if part != "test" else ()), *self.labels]
            with new_file(root / _TREE / name) as path:
                pd.DataFrame(rows[part], columns=columns).to_csv(path, index=False)


def _trees_in(root: Path) -> list[Path]:
    """`root` and the folders in it that hold CheXpert or a batch of it."""
    if not root.is_dir():
        raise UserError(f"chexpert: no folder {root}; give the dataset's folder")
    named = [path for path in root.iterdir() if path.name.lower().startswith("chexpert")]
    return [root, *sorted(path for path in named if path.is_dir())]


def _find_table(trees: list[Path], name: str, root: Path) -> Path | None:
    """The one file called `name` in the trees or in the folder test/ of one."""
    found = [path for tree in trees for path in (tree / name, tree / "test" / name) if path.is_file()]
    if len(found) > 1:
        raise UserError(f"chexpert: {name} is there twice, {found[0]} and {found[1]}; give the folder of one copy")
    return found[0] if found else None


def _image_folders(trees: list[Path], part: str) -> list[Path]:
    """Where images of `part` may lie: in the level that the table names, and in trees without it."""
    levels = {"train": ("train", ""), "valid": ("valid", "val", ""), "test": ("test", "")}[part]
    return [folder for level in levels for tree in trees if (folder := tree / level).is_dir()]


def _named_right(rows: pd.DataFrame, right: pd.Series, part: str, table: Path, reading: Reading) -> pd.DataFrame:
    """The rows that are `right` (bool [N]); each other one is a problem. Raises UserError where none is."""
    if right.all():
        return rows
    expected = "does not end in patientN/studyN/viewN_<frontal|lateral>.jpg"
    wrong = rows["Path"][~right]
    if len(wrong) == len(rows):
        where = at_row(table, wrong.index[0])
        raise UserError(f"{where}, column 'Path': {str(wrong.iloc[0])!r} {expected}, nor does any other; correct them")
    for index, path in wrong.items():
        what = f"column 'Path': {str(path)!r} {expected}"
        reading.problems.add("unknown file name", at_row(table, index), what, f"{part}/{path}")
    return rows[right]


def _locate(root: Path, folders: list[Path], patients: pd.Series, below: pd.Series) -> pd.Series:
    """Paths relative to `root`, NaN for the images that are in none of the `folders`.

    Args:
        root: the dataset's folder.
        folders: folders of patients, in the order to look in.
        patients: patient of each image; folders without the patient's own folder are passed over.
        below: path of each image below the folder that holds it.
    """
    found, left = [below[:0]], below
    for folder in folders:
        held = [name for name in os.listdir(folder) if name.startswith("patient")]  # noqa: PTH208
        candidates = left[patients[left.index].isin(held)]
        there = candidates[~missing_files(folder, candidates)]
        above = folder.relative_to(root).as_posix()
        found.append(there if above == "." else above + "/" + there)
        left = left.drop(there.index)
    return pd.concat(found).reindex(below.index)


datasets.register(CheXpert.name, CheXpert())
