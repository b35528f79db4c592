"""What a dataset reader returns: one table of samples, and boxes and masks where there are any."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from .imported_splits import ImportedSplits

SAMPLE_COLUMNS = ("sample_id", "patient_id", "study_id", "path", "split", "view")
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Radiographs:
    """A dataset as it lies on disk, read but not decoded.

    Attributes:
        dataset: registered name, `chexpert`.
        root: folder that the `path` column is relative to.
        samples: one row an image: `sample_id` (str, unique, stable over copies and machines),
            `patient_id`, `study_id` (str), `path` (str, relative to `root`; empty in what a reader
            returns for an image that is listed and not on disk), `split` (train, val or test: the
            dataset's own, or `held_out`), `view` (frontal, lateral or unknown), and one float column a
            label: 1 present, 0 absent, -1 uncertain, NaN not stated; where several readers looked at the
            image, the share of them who saw it. Datasets of pairs have `target_path` too.
        labels: the label columns, in the dataset's own order.
        exclusive: True where exactly one label is 1 in every row (single-label).
        patients_known: False where patient_id is only the image's own id.
        layout: which of the dataset's layouts lay there, in words.
        synthetic: True for phantoms; every record, table and figure says so.
        notes: what a reader of results must know (a partial copy, which file is the test set).
        boxes: sample_id, label, x1, y1, x2, y2 in original pixels, or None. Where there is a bool column `crowd`, a box
            with True is drawn around several things of a kind at once (COCO's iscrowd).
        masks: sample_id, label, height, width, counts (COCO RLE, `run_lengths.counts_to_text`), or None.
        left_out: sample_id and reason of the images that the user went on without, or None.
        splits: who trains, validates and tests where a file says it and no task draws, or None.
    """

    dataset: str
    root: Path
    samples: pd.DataFrame
    labels: tuple[str, ...]
    exclusive: bool
    patients_known: bool = True
    layout: str = ""
    synthetic: bool = False
    notes: tuple[str, ...] = field(default=())
    boxes: pd.DataFrame | None = None
    masks: pd.DataFrame | None = None
    left_out: pd.DataFrame | None = None
    splits: ImportedSplits | None = None

    def __len__(self) -> int:
        return len(self.samples)

    def targets(self) -> np.ndarray:
        """Label values [N, number of labels], float64, as stated by the dataset."""
        return self.samples[list(self.labels)].to_numpy(dtype=np.float64)

    def where(self, keep: np.ndarray) -> Radiographs:
        """The same dataset with only the rows for which `keep` [N] is true."""
        samples = self.samples[keep].reset_index(drop=True)
        ids = set(samples["sample_id"])
        boxes = None if self.boxes is None else self.boxes[self.boxes["sample_id"].isin(ids)]
        masks = None if self.masks is None else self.masks[self.masks["sample_id"].isin(ids)]
        return replace(self, samples=samples, boxes=boxes, masks=masks)
