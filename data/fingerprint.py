"""What a dataset holds, as hashes: of each file's bytes, remembered, and of the whole."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from ..foundation.errors import UserError
from ..foundation.files import sha256_of_file, sha256_of_json
from ..foundation.progress import Progress, SilentProgress
from .radiographs import Radiographs
from .remembered_tables import remember, remembered

# A file changed this shortly before it was hashed may change again within one tick of the disk's clock.
_SETTLED_NS = 2_000_000_000
_GROUP = 256


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
    progress = progress or SilentProgress()
    root = radiographs.root.resolve()
    names = radiographs.samples[column].to_numpy(dtype=object)
    paths, which = np.unique(names.astype(str), return_inverse=True)
    sizes, times = _sizes_and_times(root, paths)
    memory = cache / "content_hashes" / f"{hashlib.sha256(str(root).encode()).hexdigest()[:16]}.parquet"
    known = _remembered(memory)
    table = pd.DataFrame({"path": paths, "size": sizes, "mtime_ns": times})
    hashes = table.merge(known, on=["path", "size", "mtime_ns"], how="left")["sha256"].to_numpy(dtype=object)
    missing = np.flatnonzero(pd.isna(hashes))
    if len(missing):
        started = time.time_ns()
        try:
            _hash(root, paths, missing, hashes, progress)
        finally:
            # What was hashed before an interruption need not be hashed again.
            settled = ~pd.isna(hashes) & (times < started - _SETTLED_NS)
            new = table[settled].assign(sha256=hashes[settled])
            _remember(memory, known, new, root)
    return hashes.astype(str)[which]


def dataset_fingerprint(radiographs: Radiographs, hashes: np.ndarray) -> str:
    """Hexadecimal SHA-256 of all that a result depends on, equal for any row order, root or machine.

    Over the dataset's name, its labels in their order and, for each sample, its ids, split, view, labels and content
    hash, with boxes and masks where there are any.
    """
    samples = radiographs.samples
    order = np.argsort(samples["sample_id"].to_numpy(dtype=str), kind="stable")
    described = {name: samples[name].astype(str).to_numpy()[order].tolist() for name in _IDENTITY}
    targets = radiographs.targets()[order]
    labels = {name: _hash_of_numbers(targets[:, i]) for i, name in enumerate(radiographs.labels)}
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
        }
    )


_IDENTITY = ("sample_id", "patient_id", "study_id", "split", "view")


def _sizes_and_times(root: Path, paths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Size and modification time of each file; asked for in threads, because shared disks answer slowly."""

    def group(start: int) -> list[tuple[int, int] | None]:
        return [_size_and_time(root / path) for path in paths[start : start + _GROUP]]

    with ThreadPoolExecutor() as pool:
        found = [status for part in pool.map(group, range(0, len(paths), _GROUP)) for status in part]
    absent = [path for path, status in zip(paths, found, strict=True) if status is None]
    if absent:
        shown = ", ".join(absent[:3]) + (", …" if len(absent) > 3 else "")
        raise UserError(f"{root}: {len(absent)} image file{'s' * (len(absent) > 1)} missing: {shown}")
    table = np.array(found, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _size_and_time(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _hash(root: Path, paths: np.ndarray, missing: np.ndarray, hashes: np.ndarray, progress: Progress) -> None:
    def group(rows: np.ndarray) -> None:
        for row in rows:
            path = root / paths[row]
            try:
                hashes[row] = sha256_of_file(path)
            except OSError as error:
                raise UserError(f"{path}: cannot be read: {error.strerror}") from error

    groups = [missing[i : i + _GROUP] for i in range(0, len(missing), _GROUP)]
    with progress.step("hashing files", len(missing)) as step, ThreadPoolExecutor() as pool:
        try:
            for rows, _ in zip(groups, pool.map(group, groups), strict=True):
                step.advance(len(rows))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _remembered(memory: Path) -> pd.DataFrame:
    """What `memory` holds; nothing where it is absent or damaged, because it can be made again."""
    known = remembered(memory, _MEMORY)
    if known is None:
        return pd.DataFrame({name: [] for name in _MEMORY}).astype({"size": "int64", "mtime_ns": "int64", "path": str})
    return known


_MEMORY = ["path", "size", "mtime_ns", "sha256"]


def _remember(memory: Path, known: pd.DataFrame, new: pd.DataFrame, root: Path) -> None:
    if new.empty:
        return
    # The newest state of a path stands last.
    remember(memory, pd.concat([known, new], ignore_index=True).drop_duplicates("path", keep="last"), root)


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
