"""What an audit compares: a dataset, a folder of images, or a list that names images."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ...foundation.errors import UserError
from ...foundation.files import expanded
from ..nih_mapping import NIH_COLUMN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..radiographs import Radiographs
    from ..reading import Reading

NIH = "nih14"
TRAIN = "train"
_NIH_ID = r"^\d{8}_\d{3}$"
COLUMNS = ("name", "image_id", "nih_id", "patient_id", "nih_patient", "split", "label", "path")


@dataclass(frozen=True)
class Side:
    """Images of one side, with everything by which they can be known again.

    Attributes:
        title: what it is called in reports.
        dataset: registered name; empty for folders and lists.
        root: folder that `path` is relative to.
        images: one row an image, text columns; empty where something is not known. `name` as the dataset, folder or
            list has it; `image_id` without folders and ending; `nih_id` the image of NIH ChestX-ray14 that it is;
            `patient_id`, and `nih_patient` where it is a patient of NIH's; `split`; `label` (equal texts are equal
            labels); `path` of the file, relative to `root`.
        synthetic: a phantom.
        notes: what a reader of the report must know.
    """

    title: str
    dataset: str
    root: Path
    images: pd.DataFrame
    synthetic: bool = False
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.images)

    @property
    def short_title(self) -> str:
        """`title` without the folders before it."""
        return Path(self.title).name or self.title

    @property
    def has_splits(self) -> bool:
        """Whether the split of any image is known."""
        return bool((self.images["split"] != "").any())

    @property
    def has_files(self) -> bool:
        """Whether any image can be looked at, not only its name."""
        return bool((self.images["path"] != "").any())


def read_side(text: str, reading: Reading) -> Side:
    """The side that a person names: `NAME=PATH` for a dataset, else a folder or a list of images.

    Of a dataset, what is wrong with single rows and files does not matter here and is left to `data validate`.

    Raises UserError: no such dataset, folder or file, or one that cannot be read.
    """
    name, equals, place = text.partition("=")
    if equals and not expanded(text).exists():
        if not name or not place:
            raise UserError(f"{text}: write NAME=PATH for a dataset (NAME of `ls datasets`), else a folder or a file")
        from ..source import read

        return side_of(read(name, expanded(place), reading))
    path = expanded(text)
    if not path.exists():
        raise UserError(f"{text}: no such file or folder; give a folder, a list of images, or NAME=PATH for a dataset")
    return side_of_list(path)


def side_of(radiographs: Radiographs, with_labels: bool = True) -> Side:
    """A dataset as a side. Patients count where they are known; labels take a second for 100,000 images."""
    from ..image_list import identify
    from ..label_digests import label_digests

    samples = radiographs.samples
    # An image that is not on disk has no path; a sample_id names the image too, often without its file's ending.
    named = samples["path"].where(samples["path"] != "", samples["sample_id"])
    ids = identify(named)["image_id"]
    patients = samples["patient_id"] if radiographs.patients_known else ""
    images = pd.DataFrame({"name": samples["sample_id"], "image_id": ids, "patient_id": patients})
    images["split"], images["path"] = samples["split"], samples["path"]
    images["label"] = label_digests(radiographs) if with_labels else ""
    if NIH_COLUMN in samples:
        images["nih_id"] = samples[NIH_COLUMN].fillna("")
    elif radiographs.dataset == NIH:
        images["nih_id"] = ids
    else:
        images["nih_id"] = ""
    return Side(
        title=radiographs.dataset,
        dataset=radiographs.dataset,
        root=radiographs.root,
        images=_completed(images),
        synthetic=radiographs.synthetic,
        notes=radiographs.notes,
    )


def side_of_list(path: Path) -> Side:
    """A folder, or a file that names images; files that lie where the list says, relative to it, are looked at too.

    Of a phantom in a folder, what lies beside the dataset's own files (rib-free twins) is left out.

    Raises UserError where it cannot be read, or names no image.
    """
    from ..image_list import read_image_list
    from ..phantom.marker import is_phantom

    listed = read_image_list(path)
    root = path if path.is_dir() else path.parent
    notes: tuple[str, ...] = ()
    twins = _of_phantoms(root, listed["name"]) if path.is_dir() else None
    if twins is not None and twins.any() and not twins.all():
        listed = listed[~twins].reset_index(drop=True)
        words = "1 picture" if twins.sum() == 1 else f"{int(twins.sum())} pictures"
        notes = (f"{path.name or path}: {words} below the phantom's own folder phantom/ left out",)
    images = pd.DataFrame({"name": listed["name"], "image_id": listed["image_id"], "patient_id": listed["patient_id"]})
    images["split"] = images["label"] = ""
    images["path"] = _files(root, listed["name"], is_folder=path.is_dir())
    images["nih_id"] = listed["image_id"].where(listed["image_id"].str.match(_NIH_ID), "")
    return Side(str(path), "", root, _completed(images), synthetic=is_phantom(root), notes=notes)


def splits_of(side: Side) -> Mapping[str, int]:
    """Number of images of each split that is known."""
    counts = side.images["split"].value_counts()
    return {str(split): int(count) for split, count in counts.items() if split}


def _completed(images: pd.DataFrame) -> pd.DataFrame:
    images["nih_patient"] = images["nih_id"].str.slice(0, 8)
    return images[list(COLUMNS)].astype("str").reset_index(drop=True)


def _of_phantoms(root: Path, names: pd.Series) -> pd.Series:
    """Which images lie below a folder phantom/ that a phantom's marker lies beside: bool [N]."""
    from ..phantom.marker import MARKER

    before = names.str.extract(r"^((?:.*?/)?)phantom/", expand=False)
    marked = [folder for folder in before.dropna().unique() if (root / folder / MARKER).is_file()]
    return before.isin(marked)


def _files(root: Path, names: pd.Series, is_folder: bool) -> pd.Series:
    """`names` where such a file lies below `root`, else empty."""
    from ..tables import missing_files

    if is_folder:
        return names
    inside = ~names.str.contains(r"(?:^|/)\.\.?(?:/|$)|^[/~]|\\|\x00", regex=True)
    there = inside.to_numpy(copy=True)
    there[there] = ~missing_files(root, names[inside])
    return names.where(there, "")
