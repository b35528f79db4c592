"""SIIM-ACR pneumothorax segmentation (2019): pneumothorax or none, and its mask; both stages of the challenge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from ...foundation.errors import UserError
from ..card import DatasetCard, read_card
from ..dicom.headers import read_headers
from ..image_folder import images_below
from ..nih_mapping import NIH_COLUMN, nih_origin
from ..phantom.case import PhantomCase, PhantomPlan
from ..phantom.marker import is_phantom
from ..radiographs import Radiographs
from ..reading import Reading
from ..run_lengths import counts_to_text
from ..siim_run_lengths import EMPTY, merge_rows
from ..source import Source, datasets
from ..tables import at_row, read_table
from . import _siim_acr_phantom as phantom
from ._membership import is_among, position_among

# The size of every released image, for those whose file does not say it.
SIDE = 1024

_SUBMISSION = "stage_2_sample_submission.csv"
_MAPPING = "mapping file with ImageId and the NIH file name"


@dataclass(frozen=True)
class _Stage:
    layout: str
    table: str
    images: str


_STAGES = (
    _Stage("stage 1", "train-rle.csv", "dicom-images-train"),
    _Stage("stage 2", "stage_2_train.csv", "stage_2_images"),
)


class SiimAcr(Source):
    """Multi-label with one label, `pneumothorax`; an image's mask is the union of all that its rows mark.

    Stage 1 is `train-rle.csv` with `dicom-images-train/<study>/<series>/<image>.dcm`, stage 2 `stage_2_train.csv` with
    `stage_2_images/<image>.dcm`. No patient is named: images are NIH ChestX-ray14's, and where a JSON or CSV file with
    "mapping" in its name lies beside the table, patients are NIH's and `nih14_id` names the image in `nih14`.
    """

    name: ClassVar[str] = "siim_acr"
    card: ClassVar[DatasetCard] = read_card("siim_acr")
    labels: ClassVar[tuple[str, ...]] = ("pneumothorax",)
    exclusive: ClassVar[bool] = False
    official_split: ClassVar[bool] = False

    def read(self, root: Path, reading: Reading) -> Radiographs:
        """Read the table, find the DICOM files, and join the rows of each image to one mask."""
        stage = _find_stage(root)
        table = root / stage.table
        rows = read_table(table, ("ImageId", "EncodedPixels"), text=("ImageId", "EncodedPixels"))
        rows = _named(rows, table, reading)
        ids = rows["ImageId"].drop_duplicates().reset_index(drop=True)
        files, unused = _files(root, stage, ids)
        notes = _note_unused(root, stage, unused)
        origin = nih_origin(root, ids, _MAPPING, reading.problems)
        samples = pd.DataFrame(
            {
                "sample_id": ids,
                "patient_id": origin.patients,
                "study_id": ids,
                "path": files,
                "split": origin.split(self.name),
                "view": "frontal",
                NIH_COLUMN: origin.images,
                self.labels[0]: _labels(rows, ids, table, reading),
            }
        )
        return Radiographs(
            self.name,
            root,
            samples,
            self.labels,
            self.exclusive,
            patients_known=origin.known,
            layout=stage.layout,
            notes=(*origin.notes, *notes),
            masks=self._masks(rows, samples, table, root, reading),
        )

    def _masks(
        self, rows: pd.DataFrame, samples: pd.DataFrame, table: Path, root: Path, reading: Reading
    ) -> pd.DataFrame:
        """One row an image whose label is 1 and whose rows are all right."""
        label = self.labels[0]
        image = position_among(rows["ImageId"], samples["sample_id"])
        marked = (_stated(rows) & (samples[label] == 1).to_numpy()[image]).to_numpy()
        rows, image = rows[marked], image[marked]
        height, width = _sizes(root, samples["path"].where(samples[label] == 1, ""), reading)
        if not is_phantom(root):
            right = _of_released_size(height, width, image, rows, table, reading)
            rows, image = rows[right], image[right]
        found = merge_rows(rows["EncodedPixels"].tolist(), image, (height * width)[image])
        for at, what in sorted(found.faults.items()):
            what = f"the mask of {rows['ImageId'].iloc[at]}: {what}"
            reading.problems.add("wrong mask", at_row(table, rows.index[at]), what, rows["ImageId"].iloc[at])
        numbers = np.array(sorted(found.counts), dtype=np.int64)
        return pd.DataFrame(
            {
                "sample_id": samples["sample_id"].to_numpy()[numbers],
                "label": label,
                "height": height[numbers],
                "width": width[numbers],
                "counts": [counts_to_text(found.counts[int(number)]) for number in numbers],
            }
        ).astype({"sample_id": "str", "label": "str", "counts": "str"})

    def plan_phantom(self, n: int, seed: int) -> PhantomPlan:
        """22 % of the images with a pneumothorax; several images a patient, whom no file names."""
        weights = [self.card.counts["all/pneumothorax=0"], self.card.counts["all/pneumothorax"]]
        return phantom.plan(n, seed, weights)

    def write_phantom(self, cases: Iterable[PhantomCase], root: Path) -> None:
        """Write the layout of stage 1: JPEG Baseline DICOM files without a window, and `train-rle.csv`."""
        phantom.write(cases, root)


def _find_stage(root: Path) -> _Stage:
    found = [stage for stage in _STAGES if (root / stage.table).is_file()]
    if len(found) > 1:
        raise UserError(f"siim_acr: {root} has {' and '.join(stage.table for stage in found)}; take one away")
    if not found:
        looked = " and no ".join(f"{stage.table} (beside {stage.images}/)" for stage in _STAGES)
        raise UserError(f"siim_acr: no {looked} in {root}; give the folder that holds the table and the images")
    return found[0]


def _named(rows: pd.DataFrame, table: Path, reading: Reading) -> pd.DataFrame:
    """The rows that name an image."""
    blank = rows["ImageId"].isna()
    for index in rows.index[blank]:
        reading.problems.add("no image named", at_row(table, index), "ImageId is blank")
    if blank.all():
        raise UserError(f"{table}: the column ImageId is blank throughout; download it again")
    return rows[~blank].assign(EncodedPixels=rows["EncodedPixels"].str.strip())


def _stated(rows: pd.DataFrame) -> pd.Series:
    """Which rows mark pixels, or mean to."""
    return rows["EncodedPixels"].notna() & (rows["EncodedPixels"] != EMPTY)


def _labels(rows: pd.DataFrame, ids: pd.Series, table: Path, reading: Reading) -> np.ndarray:
    """1 for images with a mask, 0 for those with -1, NaN where a row is blank or rows contradict each other."""
    blank = rows["EncodedPixels"].isna()
    for index, name in rows["ImageId"][blank].items():
        what = f"EncodedPixels of {name} is blank; an image without a mask has {EMPTY}"
        reading.problems.add("unknown label", at_row(table, index), what, str(name))
    stated = _stated(rows).astype(np.float64).mask(blank)
    extent = stated.groupby(rows["ImageId"], sort=False).agg(["min", "max"]).reindex(ids)
    both = (extent["min"] < extent["max"]).to_numpy()
    for name in ids[both]:
        here = stated[rows["ImageId"] == name]
        marked = at_row(table, here.idxmax()).removeprefix(f"{table}, ")
        what = f"{name} has {EMPTY} here and a mask in {marked}"
        reading.problems.add("contradiction", at_row(table, here.idxmin()), what, name)
    unknown = both | is_among(ids, rows["ImageId"][blank]).to_numpy()
    return np.where(unknown, np.nan, extent["max"].to_numpy())


def _files(root: Path, stage: _Stage, ids: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Path of each image (empty where there is none), and the names of the files that no row is about."""
    folder = root / stage.images
    below = pd.Series(images_below(folder, (".dcm",)) if folder.is_dir() else [], dtype="str")
    names = below.str.replace(r"^.*/", "", regex=True).str.slice(0, -len(".dcm"))
    at = position_among(ids, names)
    # Position -1, of an image that has no file, is the empty path.
    paths = pd.concat([f"{stage.images}/" + below, pd.Series([""], dtype="str")], ignore_index=True)
    return paths.iloc[at].set_axis(ids.index), names[~is_among(names, ids)]


def _note_unused(root: Path, stage: _Stage, unused: pd.Series) -> list[str]:
    """What there is to say of the files without a row; stage 2 keeps the challenge's test images with the others."""
    notes = []
    if (root / _SUBMISSION).is_file() and len(unused):
        test = read_table(root / _SUBMISSION, ("ImageId",), text=("ImageId",))["ImageId"]
        among = is_among(unused, test)
        notes.append(f"{int(among.sum())} test images of the challenge have no labels and are left away")
        unused = unused[~among]
    if len(unused):
        notes.append(f"{len(unused)} DICOM files have no row in {stage.table} and are left away")
    return notes


def _of_released_size(
    height: np.ndarray, width: np.ndarray, image: np.ndarray, rows: pd.DataFrame, table: Path, reading: Reading
) -> np.ndarray:
    """Which rows are about an image of the size that masks are drawn on: bool [N]; each other image is a problem."""
    wrong = ((height != SIDE) | (width != SIDE))[image]
    first = ~pd.Series(image).duplicated().to_numpy()
    for at in np.flatnonzero(wrong & first).tolist():
        name, number = str(rows["ImageId"].iloc[at]), image[at]
        what = f"{name} has {width[number]} x {height[number]} pixels, its mask is drawn on {SIDE} x {SIDE}"
        reading.problems.add("mask of another size", at_row(table, rows.index[at]), what, name)
    return ~wrong


def _sizes(root: Path, paths: pd.Series, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
    """Height and width that the files of `paths` state; 1024 where one is not there or states none."""
    headers = read_headers(root, paths, ("Rows", "Columns"), progress=reading.progress, cache=reading.cache)
    sizes = headers[["Rows", "Columns"]].apply(pd.to_numeric, errors="coerce").fillna(SIDE).astype(np.int64)
    return sizes["Rows"].to_numpy(), sizes["Columns"].to_numpy()


datasets.register(SiimAcr.name, SiimAcr())
