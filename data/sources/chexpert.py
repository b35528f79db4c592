"""CheXpert (Irvin 2019): 14 labels from reports, with uncertain and blank ones; radiologists' labels for the test."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import pandas as pd

from ...foundation.errors import UserError
from ...foundation.files import new_file
from ..phantom.case import PhantomCase, PhantomPlan
from ..radiographs import Radiographs
from ..source import Source, datasets
from ..tables import extract, first_three, label_values, missing_files, read_table, require_unique, row_number
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

    Attributes:
        full_counts: what the full copy holds, by `<table>/<quantity>`, with table `train`, `valid` or `test` (the
            first part of a sample_id) and, for labels, `<label>=<value>`.
    """

    name: ClassVar[str] = "chexpert"
    title: ClassVar[str] = "CheXpert"
    licence: ClassVar[str] = "Stanford University Dataset Research Use Agreement"
    citation: ClassVar[str] = "Irvin et al., AAAI 2019, arXiv:1901.07031"
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
    full_counts: ClassVar[dict[str, int]] = {
        "train/images": 223_414,
        "train/patients": 64_540,
        "train/studies": 187_641,
        "train/frontal": 191_027,
        "valid/images": 234,
        "valid/patients": 200,
        "valid/frontal": 202,
        "test/images": 668,
        "test/patients": 500,
        **{
            f"train/{label}={value}": count
            for label, counts in {
                "Atelectasis": (33_376, 1_328, 33_739, 154_971),
                "Cardiomegaly": (27_000, 11_116, 8_087, 177_211),
                "Consolidation": (14_783, 28_097, 27_742, 152_792),
                "Edema": (52_246, 20_726, 12_984, 137_458),
                "Pleural Effusion": (86_187, 35_396, 11_628, 90_203),
            }.items()
            for value, count in zip(("1", "0", "-1", "blank"), counts, strict=True)
        },
    }

    def read(self, root: Path) -> Radiographs:
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
        parts = [self._read_part(part, path, root, trees) for part, path in tables.items() if path]
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
        return Radiographs(self.name, root, samples[columns], self.labels, self.exclusive, notes=tuple(notes))

    def _read_part(self, part: str, table: Path, root: Path, trees: list[Path]) -> pd.DataFrame:
        """The rows of one of the three tables as samples, without their split."""
        rows = read_table(table, ("Path", *self.labels), text=("Path",))
        fields = extract(rows["Path"], _IMAGE)
        unknown = fields["image"].isna().to_numpy()
        if unknown.any():
            at = int(unknown.argmax())
            raise UserError(
                f"{table}, row {row_number(at)}, column 'Path': {str(rows['Path'].iloc[at])!r} does not end in "
                f"patientN/studyN/viewN_<frontal|lateral>.jpg; correct the {int(unknown.sum())} such rows"
            )
        samples = pd.DataFrame({"sample_id": f"{part}/" + fields["image"]})
        require_unique(samples["sample_id"], table)
        paths = _locate(root, _image_folders(trees, part), fields["patient"], fields["below"])
        absent = paths.isna()
        if absent.any():
            raise UserError(
                f"{table} lists {int(absent.sum())} images that are not below {root}: "
                f"{first_three(rows['Path'][absent])}; complete the copy, or take their rows out"
            )
        samples = samples.assign(
            patient_id=fields["patient"], study_id=fields["study"], path=paths, view=fields["view"]
        )
        return pd.concat([samples, label_values(rows, self.labels, (1.0, 0.0, -1.0), table)], axis=1)

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
