"""Paediatric pneumonia (Kermany 2018): children's radiographs, normal, bacterial or viral, labelled by file name."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from ...foundation.errors import UserError
from ..card import DatasetCard, read_card
from ..phantom.case import PhantomCase, PhantomPlan, PhantomRequest
from ..problems import INCOMPLETE
from ..radiographs import Radiographs
from ..reading import Reading
from ..source import Source, datasets
from ..tables import extract
from ._phantoms import images_per_patient, sex, shares, write_image

_FOLDERS = {
    "NORMAL": (r"(?P<patient>(?:NORMAL2-)?IM-\d{4,})-\d{4,}(?:-\d{4})?", "[NORMAL2-]IM-dddd-dddd[-dddd]"),
    "PNEUMONIA": (r"(?P<person>person\d+)_(?P<agent>bacteria|virus)_\d+(?:_\d+)?", "personN_<bacteria|virus>_N[_N]"),
}
_CLASS_OF_AGENT = {"bacteria": "bacterial", "virus": "viral"}
_SUFFIXES = (".jpeg", ".jpg", ".png")


class PediatricPneumonia(Source):
    """Single-label: each child is normal or has bacterial or viral pneumonia."""

    name: ClassVar[str] = "pediatric_pneumonia"
    card: ClassVar[DatasetCard] = read_card("pediatric_pneumonia")
    labels: ClassVar[tuple[str, ...]] = ("normal", "bacterial", "viral")
    exclusive: ClassVar[bool] = True

    def read(self, root: Path, reading: Reading) -> Radiographs:
        """List the class folders; of a nested copy and of macOS shadow files nothing is counted."""
        tree, notes = _find_tree(root)
        splits = [split for split in ("train", "test", "val") if (tree / split).is_dir()]
        parts = [_list_class(tree, split, folder, reading) for split in splits for folder in _FOLDERS]
        if not any(len(part) for part in parts):
            raise UserError(f"pediatric_pneumonia: {tree} holds no image under its original name; complete it")
        samples = pd.concat([part for part in parts if len(part)], ignore_index=True)
        in_val = samples["split"] == "val"
        # The official copy has no val: its images are training images there, so ids do not tell them apart.
        samples.loc[in_val, "split"] = "train"
        samples["sample_id"] = samples["split"] + "/" + samples["folder"] + "/" + samples["stem"]
        repeated = in_val & samples["sample_id"].isin(samples.loc[~in_val, "sample_id"])
        samples, in_val = samples[~repeated].reset_index(drop=True), int((in_val & ~repeated).sum())
        samples = _one_file_an_id(samples, tree, reading)
        if in_val:
            notes.append(f"the {in_val} images of val/ count as training images, as in the official copy")
        if tree != root:
            samples["path"] = tree.relative_to(root).as_posix() + "/" + samples["path"]
        return self._radiographs(root, tree, samples, notes, reading)

    def _radiographs(
        self, root: Path, tree: Path, samples: pd.DataFrame, notes: list[str], reading: Reading
    ) -> Radiographs:
        samples["study_id"] = samples["patient_id"] + "/" + samples["stem"]
        samples["view"] = "frontal"
        for label in self.labels:
            samples[label] = (samples["class"] == label).astype(np.float64)
        for split in ("train", "test"):
            found = set(samples.loc[samples["split"] == split, "class"])
            if missing := [label for label in self.labels if label not in found]:
                reading.problems.add(INCOMPLETE, tree / split, f"no {' and no '.join(missing)} image")
        columns = ["sample_id", "patient_id", "study_id", "path", "split", "view", *self.labels]
        layout = "Kaggle, with val/" if (tree / "val").is_dir() else "train and test"
        return Radiographs(
            self.name, root, samples[columns], self.labels, self.exclusive, layout=layout, notes=tuple(notes)
        )

    def parts(self, radiographs: Radiographs) -> pd.Series:
        """The folder that each image lies in: those of val/ train, and a full copy's train/ is counted without them."""
        return radiographs.samples["path"].str.extract(r"(?:^|/)(train|test|val)/\w+/[^/]+$", expand=False)

    def plan_phantom(self, n: int, seed: int) -> PhantomPlan:
        """Classes in the official proportions of train and test; a quarter of the images is for the test."""
        generator = np.random.default_rng(seed)
        weights = [self.card.counts[f"{split}/{label}"] for split in ("train", "test") for label in self.labels]
        train, test = sum(weights[:3]), sum(weights[3:])
        weights = [weight / train * 0.75 for weight in weights[:3]] + [weight / test * 0.25 for weight in weights[3:]]
        findings = {"normal": (), "bacterial": ("consolidation",), "viral": ("interstitial",)}
        plan: PhantomPlan = []
        patient = 0
        for part, count in enumerate(shares(n, weights, self.name)):
            split, label = ("train", "test")[part // 3], self.labels[part % 3]
            for images in images_per_patient(count, mean=1.6, generator=generator):
                patient += 1
                age, child = int(generator.integers(1, 6)), sex(generator)
                plan += [
                    PhantomRequest(patient, 1, image, split, findings=findings[label], age=age, sex=child)
                    for image in range(1, images + 1)
                ]
        return plan

    def write_phantom(self, cases: Iterable[PhantomCase], root: Path) -> None:
        """Write chest_xray/{train,test} with the real names; consolidation is bacterial, other findings viral."""
        for case in cases:
            ask = case.request
            if ask.findings:
                agent = "bacteria" if "consolidation" in ask.findings else "virus"
                folder, name = "PNEUMONIA", f"person{ask.patient}_{agent}_{ask.image}"
            else:
                folder, name = "NORMAL", f"IM-{ask.patient:04d}-{ask.image:04d}"
            write_image(root / "chest_xray" / ask.split / folder / f"{name}.jpeg", case.pixels)


def _find_tree(root: Path) -> tuple[Path, list[str]]:
    """The folder that holds train and test: `root`, or one at most two levels below it, the outermost first."""
    level = [root]
    for _ in range(3):
        trees = [folder for folder in level if (folder / "train").is_dir() and (folder / "test").is_dir()]
        if len(trees) > 1:
            names = " and ".join(str(tree) for tree in trees[:2])
            raise UserError(f"pediatric_pneumonia: more than one copy, {names}; give the folder of one")
        if trees:
            nested = trees[0] / "chest_xray"
            return trees[0], [f"the second copy in {nested} is left out"] if (nested / "train").is_dir() else []
        level = [folder for parent in level for folder in _folders_in(parent)]
    raise UserError(
        f"pediatric_pneumonia: no folder with train/ and test/ in {root}; give the folder that holds chest_xray/"
    )


def _folders_in(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    with os.scandir(parent) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir())
    # macOS puts a shadow of every file into __MACOSX.
    return [parent / name for name in names if name != "__MACOSX" and not name.startswith(".")]


def _list_class(tree: Path, split: str, folder: str, reading: Reading) -> pd.DataFrame:
    """One row an image of `tree/split/folder`: split, folder, stem, path below `tree`, patient_id, class."""
    place = tree / split / folder
    if not place.is_dir():
        return pd.DataFrame()
    with os.scandir(place) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    files = pd.Series([name for name in names if name.lower().endswith(_SUFFIXES)], dtype="str")
    if files.empty:
        return pd.DataFrame()
    stems = files.str.replace(r"\.[^.]*$", "", regex=True)
    pattern, shown = _FOLDERS[folder]
    fields = extract(stems, f"^{pattern}$")
    unknown = fields.isna().any(axis=1)
    for name, stem in zip(files[unknown], stems[unknown], strict=True):
        what = f"is not named {shown}.jpeg, which tells class and patient"
        reading.problems.add("unknown file name", place / name, what, f"{split}/{folder}/{stem}")
    files, stems, fields = files[~unknown], stems[~unknown], fields[~unknown]
    table = pd.DataFrame({"split": split, "folder": folder, "stem": stems, "path": f"{split}/{folder}/" + files})
    if folder == "NORMAL":
        return table.assign(patient_id=fields["patient"], **{"class": "normal"})
    # personN alone names two children, one with each agent.
    patient = fields["person"] + "_" + fields["agent"]
    return table.assign(patient_id=patient, **{"class": fields["agent"].map(_CLASS_OF_AGENT)})


def _one_file_an_id(samples: pd.DataFrame, tree: Path, reading: Reading) -> pd.DataFrame:
    """`samples` with the first file of each id; the others are problems."""
    again = samples["sample_id"].duplicated()
    for name, path in zip(samples["sample_id"][again], samples["path"][again], strict=True):
        what = f"{name} is there with another suffix; keep one"
        reading.problems.add("listed twice", tree / path, what, name)
    return samples[~again].reset_index(drop=True)


datasets.register(PediatricPneumonia.name, PediatricPneumonia())
