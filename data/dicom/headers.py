"""A few header elements of many DICOM files, without their pixels, remembered until a file changes."""

from __future__ import annotations

import io
import os
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pandas as pd

from ...foundation.files import sha256_of_json
from ...foundation.progress import Progress, SilentProgress
from ..remembered_tables import remember, remembered
from .quietness import silence_pydicom

if TYPE_CHECKING:
    from pydicom import Dataset

UNREADABLE = "unreadable"

# Parsing one header takes 0.2 ms and holds the interpreter, so threads only help where files are waited for, and
# processes would take longer to start than any of our datasets takes to read.
_PROBE = 64
_THREADS = 16
_DEFLATED = b"1.2.840.10008.1.2.1.99"
# The elements asked for lie near the beginning; a value longer than this is none of them.
_LONGEST = 1 << 20
_INTEGERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i"}


def read_headers(
    root: Path,
    paths: pd.Series,
    keywords: Sequence[str],
    *,
    progress: Progress | None = None,
    cache: Path | None = None,
) -> pd.DataFrame:
    """Header elements of the DICOM files `paths`, relative to `root`.

    Args:
        root: the folder that `paths` start from.
        paths: text [N]; an empty one is passed over.
        keywords: DICOM keywords, such as PatientID, Rows and ViewPosition.
        progress: where to say how far it is.
        cache: folder in which what was read is remembered, by path, size and time of change; nothing is where None.

    Returns:
        [N] rows with the index of `paths`: one text column a keyword (several values with a backslash between, NaN
        where the file states none), and `unreadable`: why a file could not be read, empty where it could.

    Raises:
        ValueError: a keyword that DICOM does not know.
    """
    tags = _tags(keywords)
    columns = [*keywords, UNREADABLE]
    wanted = pd.Series(paths[paths != ""].unique(), dtype="str")
    stamps = _stamps(root, wanted)
    memory = _Memory(cache, root, keywords)
    known = stamps.merge(memory.rows, on=["path", "size", "changed"], how="left", indicator="remembered")
    new = (known["remembered"] != "both").to_numpy()
    if new.any():
        files = [f"{root}/{path}" for path in known["path"][new]]
        found = pd.DataFrame(list(_read_all(files, tags, progress or SilentProgress())), columns=columns, dtype="str")
        for column in columns:
            known[column] = known[column].astype("object")
            known.loc[new, column] = found[column].to_numpy(dtype=object)
        memory.remember(known[["path", "size", "changed", *columns]])
    table = known.set_index("path")[columns].reindex(paths.to_numpy()).set_axis(paths.index)
    table[UNREADABLE] = table[UNREADABLE].fillna("")
    return table.astype("str")


def _tags(keywords: Sequence[str]) -> list[int]:
    from pydicom.datadict import tag_for_keyword

    tags = [tag_for_keyword(keyword) for keyword in keywords]
    unknown = [keyword for keyword, tag in zip(keywords, tags, strict=True) if tag is None]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no DICOM keyword")
    return [tag for tag in tags if tag is not None]


def _stamps(root: Path, paths: pd.Series) -> pd.DataFrame:
    """`path`, `size` and `changed` (nanoseconds) of each file; -1 where it cannot be asked."""

    def stamp(path: str) -> tuple[int, int]:
        try:
            state = os.stat(f"{root}/{path}")  # noqa: PTH116
        except (OSError, ValueError):
            return -1, -1
        return state.st_size, state.st_mtime_ns

    values = np.array([stamp(path) for path in paths], dtype=np.int64).reshape(-1, 2)
    return pd.DataFrame({"path": paths, "size": values[:, 0], "changed": values[:, 1]})


class _Memory:
    """What was read before from one folder, as a parquet file in the cache; whatever is wrong with it is read again."""

    def __init__(self, cache: Path | None, root: Path, keywords: Sequence[str]):
        key = sha256_of_json({"root": str(root.resolve()), "keywords": list(keywords), "version": 1})[:16]
        self._root = root
        self._file = None if cache is None else cache / "dicom_headers" / f"{key}.parquet"
        self._columns = ["path", "size", "changed", *keywords, UNREADABLE]
        self.rows = self._read()

    def _read(self) -> pd.DataFrame:
        nothing = pd.DataFrame({name: pd.Series(dtype="str") for name in self._columns})
        nothing = nothing.astype({"size": np.int64, "changed": np.int64})
        rows = None if self._file is None else remembered(self._file, self._columns)
        return rows if rows is not None and rows["path"].is_unique else nothing

    def remember(self, rows: pd.DataFrame) -> None:
        if self._file is None:
            return
        rows = rows[rows[UNREADABLE] == ""]
        others = self.rows[~self.rows["path"].isin(rows["path"])]
        table = pd.concat([others, rows], ignore_index=True) if len(others) else rows.reset_index(drop=True)
        texts = {name: "str" for name in self._columns if name not in ("size", "changed")}
        remember(self._file, table.astype(texts), self._root)


def _read_all(files: list[str], tags: list[int], progress: Progress) -> Iterator[list[str | None]]:
    """Values and what is wrong for each file, in order."""
    with progress.step("reading DICOM headers", len(files)) as step:

        def read(file: str) -> list[str | None]:
            return _read_one(file, tags)

        begun, busy = time.perf_counter(), time.thread_time()
        for row in map(read, files[:_PROBE]):
            step.advance()
            yield row
        waited = (time.perf_counter() - begun) > 2 * (time.thread_time() - busy)
        rest = files[_PROBE:]
        if not rest:
            return
        with ThreadPoolExecutor(_THREADS if waited else 1) as pool:
            for row in pool.map(read, rest) if waited else map(read, rest):
                step.advance()
                yield row


def _read_one(file: str, tags: list[int]) -> list[str | None]:
    nothing: list[str | None] = [None] * len(tags)
    silence_pydicom()
    try:
        with open(file, "rb") as stream:  # noqa: PTH123
            dataset, is_dicom = _parse(stream, tags)
        values = _texts(dataset, tags)
    except OSError as error:
        return [*nothing, error.strerror or "cannot be read"]
    except Exception as error:  # pydicom raises whatever its parser stumbles over, with values in the message
        return [*nothing, f"its DICOM header is damaged ({type(error).__name__})"]
    if not is_dicom and all(value is None for value in values):
        return [*nothing, "not a DICOM file"]
    return [*values, ""]


def _parse(stream: BinaryIO, tags: list[int]) -> tuple[Dataset, bool]:
    """The elements `tags`, still raw, and whether the file begins as DICOM files do."""
    from pydicom.filereader import read_dataset, read_partial
    from pydicom.tag import Tag

    last = max(tags)
    stop: Callable[..., bool] = lambda tag, vr, length: tag > last  # noqa: E731
    head = stream.read(2048)
    is_dicom = head[128:132] == b"DICM"
    specific: list = [Tag(tag) for tag in tags]
    if is_dicom and _DEFLATED in head:
        # pydicom would inflate all of the file, however much that is.
        start = 144 + struct.unpack("<I", head[140:144])[0]
        stream.seek(start)
        inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(stream.read(_LONGEST), _LONGEST)
        return read_dataset(io.BytesIO(inflated), False, True, stop_when=stop, specific_tags=specific), True
    stream.seek(0)
    return read_partial(stream, stop, _LONGEST, force=True, specific_tags=specific), is_dicom


def _texts(dataset: Dataset, tags: list[int]) -> list[str | None]:
    """The values of the elements `tags` as text, None where there is none; those too long were left in the file."""
    # The bytes are taken as they are: pydicom's own conversion warns with the value.
    raw = {int(element.tag): element for element in dataset.values()}
    return [_text(raw[tag], tag) if tag in raw else None for tag in tags]


def _text(element: Any, tag: int) -> str | None:
    from pydicom.datadict import dictionary_VR

    value = element.value
    if not isinstance(value, bytes):
        return None if value is None else str(value).strip(" \0") or None
    if len(value) < element.length:
        raise EOFError
    kind = _INTEGERS.get(element.VR or dictionary_VR(tag))
    if kind:
        order = "<" if element.is_little_endian else ">"
        count = len(value) // struct.calcsize(kind)
        numbers = struct.unpack(f"{order}{count}{kind}", value[: count * struct.calcsize(kind)])
        return "\\".join(map(str, numbers)) or None
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return text.strip(" \0") or None
