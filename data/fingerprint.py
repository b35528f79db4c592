"""What a dataset holds, as hashes: of each file's bytes, remembered, and of the whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..foundation.errors import UserError
from ..foundation.files import sha256_of_file, sha256_of_json
from ..foundation.progress import Progress, SilentProgress
from .file_facts import file_facts
from .radiographs import Radiographs

# The column of the images that a dataset of pairs has beside `path`.
TARGETS = "target_path"


def content_hashes(
    radiographs: Radiographs,
    cache: Path,
    progress: Progress | None = None,
    *,
    column: str = "path",
) -> np.ndarray:
    """SHA-256 of the bytes of each sample's file, str [N] in the order of `radiographs.samples`.

    Hashes are remembered in `<cache>/content_hashes/`, one file a dataset folder, by path, size and
    modification time, so that a second call only asks the disk for sizes and times. A read-only cache
    is read and not written.

    Raises:
        UserError: files that are missing; the message counts them and names up to three.
    """
    names = radiographs.samples[column].to_numpy(dtype=object)
    found = file_facts(
        radiographs.root,
        names,
        ["sha256"],
        _hash,
        memory=cache / "content_hashes",
        title="hashing files",
        progress=progress or SilentProgress(),
    )
    return found["sha256"].to_numpy().astype(str)


def target_hashes(radiographs: Radiographs, cache: Path, progress: Progress | None = None) -> np.ndarray | None:
    """`content_hashes` of the target images of a dataset of pairs; None where it has none."""
    if TARGETS not in radiographs.samples:
        return None
    return content_hashes(radiographs, cache, progress, column=TARGETS)


def dataset_fingerprint(radiographs: Radiographs, hashes: np.ndarray, targets: np.ndarray | None = None) -> str:
    """Hexadecimal SHA-256 of all that a result depends on, equal for any row order, root or machine.

    Over the dataset's name, its labels in their order and, for each sample, its ids, split, view, labels and content
    hash, with boxes, masks and the content of target images where there are any.

    Args:
        radiographs: at least one sample.
        hashes: `content_hashes` of the images, str [N].
        targets: `target_hashes`.

    Raises ValueError for a dataset of pairs without `targets`, or the other way round.
    """
    if (targets is None) is (TARGETS in radiographs.samples):
        raise ValueError(f"{radiographs.dataset}: pass target_hashes(...) for a dataset of pairs, and only for one")
    samples = radiographs.samples
    order = np.argsort(samples["sample_id"].to_numpy(dtype=str), kind="stable")
    described = {name: samples[name].astype(str).to_numpy()[order].tolist() for name in _IDENTITY}
    values = radiographs.targets()[order]
    labels = {name: _hash_of_numbers(values[:, i]) for i, name in enumerate(radiographs.labels)}
    return sha256_of_json(
        {
            "dataset": radiographs.dataset,
            "samples": described,
            "labels": labels,
            "label_order": list(radiographs.labels),
            "exclusive": radiographs.exclusive,
            "patients_known": radiographs.patients_known,
            "content": hashes[order].tolist(),
            "boxes": _rows(radiographs.boxes),
            "masks": _rows(radiographs.masks),
            # Only where there are any, so that other datasets keep their fingerprint.
            **({} if targets is None else {"targets": targets[order].tolist()}),
        }
    )


_IDENTITY = ("sample_id", "patient_id", "study_id", "split", "view")


def _hash(files: Sequence[Path]) -> list[tuple[str]]:
    hashes = []
    for path in files:
        try:
            hashes.append((sha256_of_file(path),))
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    return hashes


def _hash_of_numbers(values: np.ndarray) -> str:
    """SHA-256 of the values as little-endian float64, with one bit pattern for NaN and one for zero."""
    canonical = np.where(np.isnan(values), np.nan, values + 0.0)
    return hashlib.sha256(canonical.astype("<f8").tobytes()).hexdigest()


def _rows(table: pd.DataFrame | None) -> list[str] | None:
    """Each row as text, sorted, with columns in alphabetical order."""
    if table is None:
        return None
    return sorted(_texts(table.reindex(columns=sorted(table.columns))))


def _texts(table: pd.DataFrame) -> Iterator[str]:
    for row in table.itertuples(index=False):
        yield repr([value.item() if isinstance(value, np.generic) else value for value in row])
