"""Which image files can be decoded: each is tried once, and what its bytes hold is remembered."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd

from ..foundation.files import sha256_of_json
from ..foundation.progress import Progress, SilentProgress
from .file_checks import FileCheck, check_files
from .fingerprint import content_hashes
from .radiographs import Radiographs
from .remembered_tables import remember, remembered

# Raised when files are accepted that were refused before, or refused that were accepted.
VERSION = 1
_GROUP = 256
_MEMORY = ["sha256", "height", "width"]


@dataclass(frozen=True)
class Readability:
    """What became of each sample's file, in the order of `radiographs.samples`.

    Attributes:
        reasons: object [N]; why the file cannot be used, with its path, or "" where it can.
        heights, widths: int64 [N] in pixels, 0 where it cannot be read.
        hashes: str [N]; SHA-256 of the file's bytes, "" where it cannot be opened.
    """

    reasons: np.ndarray
    heights: np.ndarray
    widths: np.ndarray
    hashes: np.ndarray


def unreadable(
    radiographs: Radiographs,
    cache: Path,
    progress: Progress | None = None,
    *,
    workers: int | None = None,
) -> dict[str, str]:
    """sample_id -> why, for each sample whose image (or target image) cannot be decoded; for `without`.

    Every sample must have a path. Each file is decoded once by one of `workers` processes (default: one a core).
    That it can be read is remembered in `<cache>/readable/` by the hash of its bytes, so that a second call only asks
    for sizes and times; what cannot be read is tried again.
    """
    progress = progress or SilentProgress()
    found: dict[str, str] = {}
    for column in ("path", "target_path"):
        if column in radiographs.samples:
            checked = readability(radiographs, cache, progress, workers=workers, column=column)
            bad = checked.reasons != ""
            names = radiographs.samples["sample_id"].to_numpy(dtype=object)[bad]
            found = {**dict(zip(names, checked.reasons[bad], strict=True)), **found}
    return found


def readability(
    radiographs: Radiographs,
    cache: Path,
    progress: Progress | None = None,
    *,
    workers: int | None = None,
    column: str = "path",
) -> Readability:
    """As `unreadable`, for one column of paths, with sizes and hashes. A cache that cannot be written is left alone."""
    progress = progress or SilentProgress()
    n = len(radiographs)
    files = [radiographs.root / path for path in radiographs.samples[column]]
    reasons = not_to_open(files)
    open_rows = np.flatnonzero(reasons == "")
    hashes = np.full(n, "", dtype=object)
    heights, widths = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    if len(open_rows):
        keep = np.zeros(n, dtype=bool)
        keep[open_rows] = True
        hashes[open_rows] = content_hashes(radiographs.where(keep), cache, progress, column=column)
    memory = cache / "readable" / f"{sha256_of_json([VERSION, str(radiographs.root.resolve())])[:16]}.parquet"
    known = _remembered(memory)
    sizes = pd.DataFrame({"sha256": hashes}).merge(known, on="sha256", how="left")
    seen = sizes["height"].notna().to_numpy()
    heights[seen], widths[seen] = sizes["height"].to_numpy()[seen], sizes["width"].to_numpy()[seen]
    rows = open_rows[~seen[open_rows]]
    if len(rows):
        checks: list[FileCheck] = []
        try:
            title = f"reading {radiographs.dataset}"
            for check in check_files([files[row] for row in rows], title, progress, workers):
                checks.append(check)
        finally:
            # What was tried before an interruption need not be tried again.
            done = rows[: len(checks)]
            reasons[done], heights[done], widths[done] = zip(*checks, strict=True) if checks else ((), (), ())
            good = done[reasons[done] == ""]
            new = pd.DataFrame({"sha256": hashes[good], "height": heights[good], "width": widths[good]})
            _remember(memory, known, new, radiographs.root)
    return Readability(reasons, heights, widths, hashes)


def first_rows(ids: Sequence[str] | pd.Series, most: int) -> np.ndarray:
    """Which `most` of the samples a look at a few takes: rows in rising order, the same whatever their order."""
    marks = np.array([sha256(str(name).encode()).hexdigest() for name in ids])
    return np.sort(np.argsort(marks, kind="stable")[:most])


def not_to_open(files: Sequence[Path]) -> np.ndarray:
    """Why each file cannot be opened, "" where it can: object [N]; asked in threads, for shared disks are slow."""

    def group(start: int) -> list[str]:
        return [_why_not_to_open(path) for path in files[start : start + _GROUP]]

    reasons = np.full(len(files), "", dtype=object)
    with ThreadPoolExecutor() as pool:
        for start, found in zip(
            range(0, len(files), _GROUP), pool.map(group, range(0, len(files), _GROUP)), strict=True
        ):
            reasons[start : start + _GROUP] = found
    return reasons


def _why_not_to_open(path: Path) -> str:
    try:
        status = path.stat()
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror}"
    if not stat.S_ISREG(status.st_mode):
        return f"{path}: not a file"
    if not os.access(path, os.R_OK):
        return f"{path}: cannot be read: Permission denied"
    return "" if status.st_size else f"{path}: empty file"


def _remembered(memory: Path) -> pd.DataFrame:
    """What `memory` holds; nothing where it is absent or damaged, because it can be made again."""
    known = remembered(memory, _MEMORY)
    return pd.DataFrame({"sha256": pd.Series(dtype="str"), "height": [], "width": []}) if known is None else known


def _remember(memory: Path, known: pd.DataFrame, new: pd.DataFrame, root: Path) -> None:
    if len(new):
        together = pd.concat([known, new.drop_duplicates("sha256")] if len(known) else [new.drop_duplicates("sha256")])
        remember(memory, together.astype({"height": "int64", "width": "int64"}), root)
