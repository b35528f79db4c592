"""What a trial said about every test sample, as a table on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..foundation.errors import RefusedError, UserError

COLUMNS = ("sample_id", "patient_id", "study_id", "truth", "scores", "decision")


@dataclass(frozen=True)
class Predictions:
    """One row a test sample.

    Attributes:
        table: the columns of COLUMNS, and more where a family of tasks needs them, which says what they hold.
            Classification: single-label tasks have the class index in `truth` and `decision` and the class
            probabilities in `scores`; multi-label tasks have one entry a label in all three
            (truth NaN where it is unknown). Detection and segmentation: see their `predictions` modules.
        labels: names of the classes or labels, in the order of the entries.
        exclusive: True for single-label tasks.
    """

    table: pd.DataFrame
    labels: tuple[str, ...]
    exclusive: bool

    def write(self, path: Path) -> None:
        """Write as parquet; labels and kind go into the file's own metadata."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.Table.from_pandas(self.table, preserve_index=False)
        about = {"labels": list(self.labels), "exclusive": self.exclusive}
        metadata = {**(table.schema.metadata or {}), b"cxrbench": json.dumps(about).encode()}
        pq.write_table(table.replace_schema_metadata(metadata), path)

    @classmethod
    def read(cls, path: Path) -> Predictions:
        """Read what `write` wrote. Raises UserError naming the file where it is missing or damaged."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowInvalid) as error:
            why = "no such file" if isinstance(error, FileNotFoundError) else "damaged"
            raise UserError(
                f"{path}: predictions cannot be read ({why}); remove the trial's folder and start `cxrbench run` again"
            ) from error
        about = json.loads((table.schema.metadata or {}).get(b"cxrbench", b"null"))
        if about is None:
            raise UserError(f"{path}: not written by cxrbench (its label names are missing)")
        return cls(table.to_pandas(), tuple(about["labels"]), bool(about["exclusive"]))

    def array(self, name: str) -> np.ndarray:
        """A column as float64: [N], or [N, L] where every row holds a list of L. Raises ValueError for other lists."""
        values = self.table[name].to_numpy()
        if values.dtype != object:
            return values.astype(np.float64)
        if len({len(row) for row in values}) > 1:
            raise ValueError(f"{name}: rows of different lengths are no array")
        flat = np.concatenate(values) if len(values) else np.empty(0)
        return flat.astype(np.float64).reshape(len(values), -1 if len(values) else len(self.labels))

    def patients(self) -> np.ndarray:
        """Each row's patient as a whole number from 0 [N]. Raises RefusedError where one is not named."""
        codes, _ = pd.factorize(self.table["patient_id"])
        if (codes < 0).any():
            raise RefusedError(f"{int((codes < 0).sum())} predictions name no patient_id; run the trial again")
        return codes

    def repeated(self, times: np.ndarray) -> Predictions:
        """Every row as often as `times` [N] says.

        The copies of a patient are patients of their own, and so are those of a study: a metric that takes the images
        of a study together must not take the copies of one for one.
        """
        positions = np.repeat(np.arange(len(self.table)), times)
        copy = np.arange(len(positions)) - np.repeat(np.cumsum(times) - times, times)
        table = self.table.iloc[positions].reset_index(drop=True)
        apart = {
            name: table[name].astype(str) + "#" + copy.astype(str) for name in ("patient_id", "study_id", "sample_id")
        }
        return Predictions(table.assign(**apart), self.labels, self.exclusive)

    def aligned_with(self, other: Predictions) -> tuple[Predictions, Predictions]:
        """Both with rows in the order of sample_id.

        Raises RefusedError where the test sets differ, repeat an id, give an image to another patient, or disagree on
        its truth.
        """
        if self.labels != other.labels:
            raise RefusedError("the two predictions have different labels; they are of different tasks")
        for each in (self, other):
            each.patients()
            ids = each.table["sample_id"]
            twice = ids[ids.duplicated()].unique()
            if len(twice):
                raise RefusedError(
                    f"{len(twice)} samples have two predictions each ({', '.join(sorted(twice)[:3])}); "
                    "remove the trial's folder and run it again"
                )
        mine = self.table.sort_values("sample_id", kind="stable", ignore_index=True)
        theirs = other.table.sort_values("sample_id", kind="stable", ignore_index=True)
        alone = set(mine["sample_id"]) ^ set(theirs["sample_id"])
        if alone or len(mine) != len(theirs):
            raise RefusedError(
                f"the test sets differ in {len(alone)} samples ({', '.join(sorted(alone)[:3])}); "
                "only trials of one test set can be compared"
            )
        moved = mine["sample_id"][(mine["patient_id"] != theirs["patient_id"]).to_numpy()]
        if len(moved):
            raise RefusedError(
                f"{len(moved)} test samples belong to other patients in the other trial ({', '.join(moved[:3])}); "
                "run both on the same copy of the dataset"
            )
        a, b = Predictions(mine, self.labels, self.exclusive), Predictions(theirs, self.labels, self.exclusive)
        if not _same_truth(a, b):
            raise RefusedError(
                "the two trials disagree on the truth of their test samples; their label policies differ"
            )
        return a, b


def _same_truth(a: Predictions, b: Predictions) -> bool:
    try:
        return np.array_equal(a.array("truth"), b.array("truth"), equal_nan=True)
    except (ValueError, TypeError):
        # Boxes and masks are no array.
        return all(map(np.array_equal, a.table["truth"], b.table["truth"]))
