"""A baseline: trials with their predictions and margins, in one plain file that can go under version control."""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections import Counter
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ...foundation.errors import UserError
from ...foundation.files import new_file
from ...foundation.settings import Settings, validated
from ..record import Record
from .cell import CheckedCell, cell_of

if TYPE_CHECKING:
    from ...tasks.predictions import Predictions

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
_RECORD, _PREDICTIONS = "record.json", "predictions.parquet"
MOST_BYTES = 2**31
# The earliest date a zip can hold: equal baselines are equal files.
_NO_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Trial:
    """One trial of a baseline."""

    record: Record
    predictions: Predictions


@dataclass(frozen=True)
class Expectation:
    """What a cell is held to.

    Attributes:
        metric: the task's main metric when the baseline was saved.
        higher_is_better: its direction.
        margin: the loss below which a difference is no news, 0 or more.
        proposed: whether the margin was computed from the predictions, or given by a person.
    """

    metric: str
    higher_is_better: bool
    margin: float
    proposed: bool


@dataclass(frozen=True)
class Baseline:
    """What a store is compared with.

    Attributes:
        trials: of every cell, in the order of cells and replicates.
        expectations: one a cell.
        made_by: cxrbench and its version.
    """

    trials: tuple[Trial, ...]
    expectations: dict[CheckedCell, Expectation]
    made_by: str = ""

    @property
    def synthetic(self) -> bool:
        """Whether any of it comes of phantoms."""
        return any(each.record.synthetic for each in self.trials)

    def of_cell(self, cell: CheckedCell) -> list[Trial]:
        """The replicates of `cell`."""
        return [each for each in self.trials if cell_of(each.record) == cell]

    def write(self, path: Path) -> None:
        """Write a zip of manifest.json and, per trial, record.json and predictions.parquet: whole or not at all."""
        members = [(_folder(number), _members(trial)) for number, trial in enumerate(self.trials)]
        manifest = {
            "format_version": FORMAT_VERSION,
            "made_by": _own_version(),
            "cells": [{**vars(cell), **vars(each)} for cell, each in self.expectations.items()],
            "trials": [
                {"folder": folder, "sha256": {name: hashlib.sha256(held).hexdigest() for name, held in files.items()}}
                for folder, files in members
            ],
        }
        text = json.dumps(manifest, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
        with new_file(path) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_entry(MANIFEST), text)
            for folder, files in members:
                for name, held in files.items():
                    archive.writestr(_entry(f"{folder}/{name}"), held)

    @classmethod
    def read(cls, path: Path) -> Baseline:
        """Read what `write` wrote.

        Raises UserError naming the file where it is missing, damaged, foreign or of a newer version. Nothing in it is
        executed, and nothing is written outside a folder of our own.
        """
        if path.is_dir():
            raise UserError(f"--baseline {path}: is a folder; name the file that `cxrbench check save` made")
        if not path.is_file():
            raise UserError(f"--baseline {path}: no such file; `cxrbench check save` makes one")
        try:
            with zipfile.ZipFile(path) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
                    raise UserError(f"--baseline {path}: unpacks to more than {MOST_BYTES >> 30} GiB; not read")
                manifest = _manifest(path, archive)
                trials = tuple(_trial(archive, each) for each in manifest.trials)
        except UserError:
            raise
        except OSError as error:
            raise UserError(f"--baseline {path}: cannot be read: {error.strerror or error}") from error
        # zipfile and zlib have many words for a file that is cut or altered.
        except Exception as error:
            raise UserError(_damaged(path, error)) from error
        baseline = cls(trials, {each.cell: each.expectation for each in manifest.cells}, manifest.made_by)
        draws = Counter((cell_of(each.record), each.record.replicate) for each in trials)
        (cell, replicate), times = draws.most_common(1)[0]
        if times > 1:
            raise UserError(_damaged(path, f"it lists {cell}, replicate {replicate} {times} times"))
        if {cell for cell, _ in draws} != set(baseline.expectations):
            raise UserError(_damaged(path, "its cells and trials do not belong together"))
        return baseline


def trials_in(path: Path) -> int | None:
    """How many trials the baseline `path` has, by its manifest; None where it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return len(_manifest(path, archive).trials)
    # zipfile and zlib have many words for a file that is cut or altered.
    except Exception:
        return None


class _ManifestCell(Settings):
    encoder: str
    task: str
    variant: str
    protocol: str
    fraction: float
    metric: str
    higher_is_better: bool
    margin: float = Field(ge=0, allow_inf_nan=False)
    proposed: bool

    @property
    def cell(self) -> CheckedCell:
        return CheckedCell(self.encoder, self.task, self.variant, self.protocol, self.fraction)

    @property
    def expectation(self) -> Expectation:
        return Expectation(self.metric, self.higher_is_better, self.margin, self.proposed)


class _ManifestTrial(Settings):
    folder: str
    sha256: dict[str, str]


class _Manifest(Settings):
    format_version: int
    made_by: str
    cells: tuple[_ManifestCell, ...] = Field(min_length=1)
    trials: tuple[_ManifestTrial, ...] = Field(min_length=1)


def _own_version() -> str:
    try:
        return f"cxrbench {metadata.version('cxrbench')}"
    except metadata.PackageNotFoundError:
        return "cxrbench, from its sources"


def _folder(number: int) -> str:
    return f"trials/{number:04d}"


def _members(trial: Trial) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / _PREDICTIONS
        trial.predictions.write(file)
        return {_RECORD: trial.record.to_json().encode(), _PREDICTIONS: file.read_bytes()}


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _NO_DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _manifest(path: Path, archive: zipfile.ZipFile) -> _Manifest:
    if MANIFEST not in archive.namelist():
        raise UserError(f"--baseline {path}: not a baseline of cxrbench (no {MANIFEST} in it)")
    values: Any = json.loads(archive.read(MANIFEST))
    found = values.get("format_version") if isinstance(values, dict) else None
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise UserError(f"--baseline {path}: not a baseline of cxrbench (no format_version in its {MANIFEST})")
    if found > FORMAT_VERSION:
        raise UserError(f"--baseline {path}: written by a newer cxrbench (format {found}); upgrade to read it")
    return validated(_Manifest, values, f"--baseline {path}, {MANIFEST}")


def _trial(archive: zipfile.ZipFile, described: _ManifestTrial) -> Trial:
    from ...tasks.predictions import Predictions

    with tempfile.TemporaryDirectory() as scratch:
        for name in (_RECORD, _PREDICTIONS):
            held = archive.read(f"{described.folder}/{name}")
            if hashlib.sha256(held).hexdigest() != described.sha256[name]:
                raise ValueError(f"{described.folder}/{name} is not what was saved")
            (Path(scratch) / name).write_bytes(held)
        try:
            return Trial(Record.read(Path(scratch) / _RECORD), Predictions.read(Path(scratch) / _PREDICTIONS))
        except UserError as error:
            # Its message names a file that nobody else knows.
            raise ValueError(f"{described.folder}: {str(error).partition(': ')[2]}") from error


def _damaged(path: Path, reason: object) -> str:
    return (
        f"--baseline {path}: damaged, or not a baseline of cxrbench ({reason}); take it from version control, or save "
        "it anew with `cxrbench check save`"
    )
