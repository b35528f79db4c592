"""What files say (a hash of their bytes, the size of their image), read once and remembered until a file changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd

from ..foundation.errors import UserError
from ..foundation.progress import Progress
from .remembered_tables import remember, remembered

# A file changed this shortly before it was read may change again within one tick of the disk's clock.
_SETTLED_NS = 2_000_000_000
_GROUP = 256
_STAMP = ["path", "size", "mtime_ns"]


def file_facts(
    root: Path,
    names: np.ndarray,
    columns: Sequence[str],
    read: Callable[[Sequence[Path]], list[tuple]],
    *,
    memory: Path | None,
    title: str,
    progress: Progress,
) -> pd.DataFrame:
    """What `read` finds in each file, from `memory` where the file has the size and modification time it had then.

    Args:
        root: the folder of the files.
        names: paths below it, str [N]; a file that is named several times is read once.
        columns: names of the values that `read` gives for a file.
        read: the values of several files (at most 256), in their order; called in threads.
        memory: folder of the cache in which one table for each `root` is kept; nothing is remembered where None. One
            that cannot be written is read and left alone.
        title: of the work, for `progress`.
        progress: where to say how far it is.

    Returns:
        `columns` of each of `names`, [N] rows numbered from 0, of whatever types the values have.

    Raises:
        UserError: files that are missing; the message counts them and names up to three. What `read` raises comes out.
    """
    root = root.resolve()
    paths, which = np.unique(names.astype(str), return_inverse=True)
    sizes, times = _sizes_and_times(root, paths)
    file = None if memory is None else memory / f"{sha256(str(root).encode()).hexdigest()[:16]}.parquet"
    known = _remembered(file, columns)
    table = pd.DataFrame({"path": paths, "size": sizes, "mtime_ns": times})
    found = table.merge(known, on=_STAMP, how="left", indicator="seen")
    values = found[list(columns)].to_numpy(dtype=object).copy()
    missing = np.flatnonzero((found["seen"] != "both").to_numpy())
    if len(missing):
        started = time.time_ns()
        done = np.zeros(len(paths), dtype=bool)
        try:
            for rows, those in _read(root, paths, missing, read, title, progress):
                values[rows] = np.array(those, dtype=object).reshape(len(rows), len(columns))
                done[rows] = True
        finally:
            # What was read before an interruption need not be read again.
            settled = done & (times < started - _SETTLED_NS)
            if file is not None and settled.any():
                new = table[settled].reset_index(drop=True).join(_typed(values[settled], columns))
                # The newest state of a path stands last.
                remember(file, pd.concat([known, new], ignore_index=True).drop_duplicates("path", keep="last"), root)
    return _typed(values[which], columns)


def _typed(values: np.ndarray, columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(values, columns=list(columns)).infer_objects()


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


def _read(
    root: Path,
    paths: np.ndarray,
    missing: np.ndarray,
    read: Callable[[Sequence[Path]], list[tuple]],
    title: str,
    progress: Progress,
) -> Iterator[tuple[np.ndarray, list[tuple]]]:
    """Row numbers and their values, group by group."""
    groups = [missing[start : start + _GROUP] for start in range(0, len(missing), _GROUP)]
    with progress.step(title, len(missing)) as step, ThreadPoolExecutor() as pool:
        try:
            found = pool.map(lambda rows: read([root / path for path in paths[rows]]), groups)
            for rows, values in zip(groups, found, strict=True):
                step.advance(len(rows))
                yield rows, values
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _remembered(file: Path | None, columns: Sequence[str]) -> pd.DataFrame:
    """What `file` holds; nothing where it is absent or damaged, because it can be made again."""
    known = None if file is None else remembered(file, [*_STAMP, *columns])
    if known is None or not known["path"].is_unique:
        known = pd.DataFrame({name: [] for name in (*_STAMP, *columns)})
        return known.astype({"path": str, "size": "int64", "mtime_ns": "int64"})
    return known
