"""Whether an array on disk still holds the bytes that were written: every chunk against its checksum."""

from __future__ import annotations

import io
import json
import os
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from .parallel import cores
from .resumable_array import CHECKSUM, CHECKSUMS, DESCRIPTION, VALUES

_PIECE = 1 << 22


def damage(folder: Path) -> Iterator[tuple[int, str]]:
    """Read all of a finished array that `resumable_array.fill` made.

    Yields:
        After each piece of the file how many bytes it has, and what is wrong with it in one line; empty where
        nothing is. A file beside the values that is damaged ends the reading. Memory does not grow with the array.
    """
    try:
        text = (folder / DESCRIPTION).read_bytes()
        checksums = np.fromfile(folder / CHECKSUMS, CHECKSUM)
    except FileNotFoundError as error:
        yield 0, f"no {Path(error.filename).name} (earlier versions kept none)"
        return
    except OSError as error:
        yield 0, f"{Path(error.filename).name}: {error.strerror}"
        return
    if len(checksums) == 0 or zlib.crc32(text) != checksums[-1]:
        yield 0, f"{DESCRIPTION} or {CHECKSUMS} has changed"
        return
    described = json.loads(text)
    shape, dtype, chunk = tuple(described["shape"]), np.dtype(described["dtype"]), described["chunk"]
    header = _header(shape, dtype)
    row = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
    expected = len(header) + shape[0] * row
    try:
        with (folder / VALUES).open("rb") as file:
            if file.read(len(header)) != header:
                yield 0, f"{VALUES}: its header has changed"
            if (size := os.fstat(file.fileno()).st_size) != expected:
                yield 0, f"{VALUES}: {size} bytes, not {expected}"
                return
            yield from _chunks(file.fileno(), len(header), row, chunk, shape[0], checksums)
    except OSError as error:
        yield 0, f"{VALUES}: {error.strerror}"


def _chunks(
    descriptor: int, offset: int, row: int, chunk: int, rows: int, checksums: np.ndarray
) -> Iterator[tuple[int, str]]:
    """Chunks are read in several threads, because one checksums more slowly than a quick disk reads."""

    def check(number: int) -> tuple[int, str]:
        first, last = number * chunk, min((number + 1) * chunk, rows)
        found, size = 0, (last - first) * row
        for start in range(0, size, _PIECE):
            piece = os.pread(descriptor, min(_PIECE, size - start), offset + first * row + start)
            found = zlib.crc32(piece, found)
        wrong = found != checksums[number]
        return size, f"{VALUES}: chunk {number} (rows {first} to {last - 1}) has changed" if wrong else ""

    numbers = range(len(checksums) - 1)
    ahead = 4 * cores()
    with ThreadPoolExecutor(cores()) as pool:
        # A group at a time, so that a large array does not wait as a long list of answers.
        for start in range(0, len(numbers), ahead):
            yield from pool.map(check, numbers[start : start + ahead])


def _header(shape: tuple[int, ...], dtype: np.dtype) -> bytes:
    """How numpy begins the file of such an array."""
    file = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue()
