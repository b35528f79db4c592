"""Boxes on a user's own images, in the form of COCO (Lin 2014): one or three JSON files beside `images/`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from ...foundation.errors import UserError
from ..card import DatasetCard, read_card
from ..coco_file import CocoFile, at_entry, box_table, image_table, read_coco
from ..held_out import held_out
from ..image_sizes import sizes_of_files
from ..phantom.case import PhantomCase, PhantomPlan
from ..problems import Problems
from ..radiographs import SPLITS, Radiographs
from ..reading import Reading
from ..source import Source, datasets
from ..tables import first_three, leads_outside, missing_files
from . import _coco_detection_phantom as phantom

_FOLDER = "annotations"
_IMAGES = "images"
_NAMES = ("{split}.json", "instances_{split}.json")
_ALL = ("annotations.json", "annotations/annotations.json")
_HELD_OUT = "test set: the images of a fifth of the patients, by a hash"
_NO_PATIENTS = "no patients are known: every image counts as a patient of its own"


@dataclass(frozen=True)
class _Layout:
    """Which files lie there: split (empty where the file itself says it, or nobody) -> file."""

    words: str
    files: dict[str, Path]


class CocoDetection(Source):
    """Multi-label: a label for each category of the files, 1 where an image has a box of it.

    The images lie in `images/` or in folders below it. `annotations/train.json`, `val.json` (may be absent) and
    `test.json` (or `instances_train.json`, ...) are about one split each, whose file names may start from
    `images/<split>/`; or there is one `annotations.json`, whose images have a field `split`, or none: then a fifth of
    the patients is held out. Patients are the images' field `patient_id`, where they have one.
    """

    name: ClassVar[str] = "coco_detection"
    card: ClassVar[DatasetCard] = read_card("coco_detection")
    labels: ClassVar[tuple[str, ...]] = ()
    exclusive: ClassVar[bool] = False
    phantom_images: ClassVar[int] = 300

    def read(self, root: Path, reading: Reading) -> Radiographs:
        """Read the JSON files, find the images and hold their sizes against what the files say."""
        problems = reading.problems
        layout = _find(root)
        files = {split: read_coco(path) for split, path in layout.files.items()}
        labels = _labels(list(files.values()))
        tables = {split: _images(root, split, file, problems) for split, file in files.items()}
        sizes = _sizes(root, tables, reading)
        for split, table in tables.items():
            _check_sizes(files[split].path, table, sizes[split], problems)
        boxes = pd.concat([box_table(files[split], table, problems) for split, table in tables.items()])
        samples, known, held = self._samples(files, tables, problems)
        boxes = boxes[boxes["sample_id"].isin(samples["sample_id"])].reset_index(drop=True)
        targets = _targets(samples["sample_id"], boxes, labels, problems)
        samples = pd.concat([samples, targets], axis=1)
        notes = tuple(note for note, said in ((_NO_PATIENTS, not known), (_HELD_OUT, held)) if said)
        return Radiographs(self.name, root, samples, labels, False, known, layout.words, notes=notes, boxes=boxes)

    def _samples(
        self, files: dict[str, CocoFile], tables: dict[str, pd.DataFrame], problems: Problems
    ) -> tuple[pd.DataFrame, bool, bool]:
        """The sample table, whether it knows the patients, and whether they were held out here."""
        for split, table in tables.items():
            table["where"] = [at_entry(files[split].path, "images", at) for at in table.index]
            if split:
                table["split"] = split
        found = pd.concat(tables.values(), ignore_index=True)
        found = _listed_once(found, problems)
        known = bool(found["patient_id"].notna().any())
        if known:
            _require_patients(found, problems)
        patients = found["patient_id"].fillna(found["sample_id"])
        held = bool(found["split"].isna().all())
        splits = held_out(self.name, patients) if held else found["split"]
        for at in np.flatnonzero(~splits.isin(SPLITS)).tolist():
            shown = "has no split" if pd.isna(splits.iloc[at]) else f"split {splits.iloc[at]!r} is not known"
            what = f"{shown}; each image needs one of {', '.join(SPLITS)}, or none of them has one"
            problems.add("unknown split", found["where"].iloc[at], what, found["sample_id"].iloc[at])
        samples = pd.DataFrame({"sample_id": found["sample_id"], "patient_id": patients})
        samples["study_id"], samples["path"] = patients + "/" + found["sample_id"], found["path"]
        return samples.assign(split=splits, view="unknown"), known, held

    def plan_phantom(self, n: int, seed: int) -> PhantomPlan:
        """Two thirds of the images with one to three opacities and nodules; splits by patient."""
        return phantom.plan(n, seed)

    def write_phantom(self, cases: Iterable[PhantomCase], root: Path) -> None:
        """Write PNG images, some of them wider than high, and a JSON file a split."""
        phantom.write(cases, root)


def _find(root: Path) -> _Layout:
    named = {
        split: [path for name in _NAMES if (path := root / _FOLDER / name.format(split=split)).is_file()]
        for split in SPLITS
    }
    whole = [root / name for name in _ALL if (root / name).is_file()]
    several = next((paths for paths in (*named.values(), whole) if len(paths) > 1), None)
    if several:
        raise UserError(f"coco_detection: {root} has {' and '.join(_below(root, several))}; take one away")
    files = {split: paths[0] for split, paths in named.items() if paths}
    there = ", ".join(_below(root, list(files.values())))
    if whole and files:
        raise UserError(f"coco_detection: {root} has {_below(root, whole)[0]} and {there}; take one of the two away")
    if not (root / _IMAGES).is_dir():
        raise UserError(
            f"coco_detection: no folder {root / _IMAGES}; lay images/ beside annotations/ or annotations.json"
        )
    if whole:
        return _Layout(_below(root, whole)[0], {"": whole[0]})
    if not files:
        odd = sorted(path.name for path in (root / _FOLDER).glob("*.json"))
        hint = f"; {_FOLDER}/ has {first_three(odd)}: rename" if odd else ""
        raise UserError(
            f"coco_detection: {root} has neither annotations/train.json (and test.json) nor annotations.json{hint}"
        )
    if absent := [split for split in ("train", "test") if split not in files]:
        raise UserError(
            f"coco_detection: {root} has {there} and no {_FOLDER}/{absent[0]}.json; name the file so whose images are "
            f"{'tested' if absent[0] == 'test' else 'trained on'}, or write one annotations.json"
        )
    return _Layout(there, files)


def _below(root: Path, paths: list[Path]) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


def _labels(files: list[CocoFile]) -> tuple[str, ...]:
    """The categories of all files, which must be the same, in the first one's order."""
    first, *others = files
    names = tuple(first.categories.values())
    for other in others:
        if odd := set(names) ^ set(other.categories.values()):
            what = f"its categories and those of {first.path.name} differ in {first_three(sorted(odd))}"
            raise UserError(f"{other.path}: {what}; list the same in each file")
    return names


def _images(root: Path, split: str, file: CocoFile, problems: Problems) -> pd.DataFrame:
    """`image_table` with paths relative to `root`, empty where there is no such file."""
    above = f"{split}/" if split and (root / _IMAGES / split).is_dir() else ""
    if above and any(isinstance(each, dict) and str(each.get("file_name")).startswith(above) for each in file.images):
        above = ""
    table = image_table(file, above, problems)
    outside = leads_outside(table["path"])
    for at in np.flatnonzero(outside).tolist():
        what = f"{table['path'].iloc[at]!r} leads out of the dataset's folder"
        where = at_entry(file.path, "images", table.index[at])
        problems.add("path outside the dataset", where, what, table["sample_id"].iloc[at])
    paths = f"{_IMAGES}/" + table["path"]
    absent = outside | missing_files(root, paths.mask(outside, _IMAGES))
    return table.assign(path=paths.mask(absent, ""))


def _sizes(root: Path, tables: dict[str, pd.DataFrame], reading: Reading) -> dict[str, np.ndarray]:
    """Height and width of the files of each table's images, 0 where a file has none: int64 [N, 2]."""
    paths = pd.concat([table["path"] for table in tables.values()])
    there = (paths != "").to_numpy()
    sizes = np.zeros((len(paths), 2), dtype=np.int64)
    sizes[there] = sizes_of_files(root, paths[there], reading.cache, reading.progress)
    ends = np.cumsum([len(table) for table in tables.values()])[:-1]
    return dict(zip(tables, np.split(sizes, ends), strict=True))


def _check_sizes(path: Path, table: pd.DataFrame, sizes: np.ndarray, problems: Problems) -> None:
    """Fill in `width` and `height` where the file does not state them; where it states others that is a problem."""
    stated = table[["height", "width"]].to_numpy()
    known = np.all(sizes > 0, axis=1, keepdims=True)
    wrong = np.any(known & ~np.isnan(stated) & (stated != sizes), axis=1)
    for at in np.flatnonzero(wrong).tolist():
        height, width = sizes[at]
        words = " x ".join("?" if np.isnan(side) else f"{side:g}" for side in stated[at, ::-1])
        what = f"states {words} pixels, its image has {width} x {height}: its boxes are those of another size"
        sample = table["sample_id"].iloc[at]
        problems.add("image of another size", at_entry(path, "images", table.index[at]), f"{sample} {what}", sample)
    filled = np.where(np.isnan(stated) & known, sizes, stated)
    table["height"], table["width"] = filled[:, 0], filled[:, 1]


def _listed_once(found: pd.DataFrame, problems: Problems) -> pd.DataFrame:
    again = found["sample_id"].duplicated()
    first = dict(found.drop_duplicates("sample_id")[["sample_id", "where"]].to_numpy().tolist())
    for where, sample in found.loc[again, ["where", "sample_id"]].itertuples(index=False):
        problems.add("listed twice", where, f"{sample} is listed before, in {first[sample]}", sample)
    return found[~again].reset_index(drop=True)


def _require_patients(found: pd.DataFrame, problems: Problems) -> None:
    """Each image without one is a problem, because others have one."""
    reported = {problem.sample_id for problem in problems if problem.kind == "wrong patient_id"}
    for where, sample in found.loc[found["patient_id"].isna(), ["where", "sample_id"]].itertuples(index=False):
        if sample not in reported:
            problems.add("no patient", where, f"{sample} has no patient_id, though other images have one", sample)


def _targets(ids: pd.Series, boxes: pd.DataFrame, labels: tuple[str, ...], problems: Problems) -> pd.DataFrame:
    """1 where an image has a box of the category, else 0, or NaN where something is wrong with the image."""
    counts = pd.crosstab(boxes["sample_id"], boxes["label"]).reindex(index=ids, columns=list(labels), fill_value=0)
    present = counts.to_numpy() > 0
    doubtful = ids.isin({problem.sample_id for problem in problems}).to_numpy()
    return pd.DataFrame(np.where(present, 1.0, np.where(doubtful[:, None], np.nan, 0.0)), columns=list(labels))


datasets.register(CocoDetection.name, CocoDetection())
