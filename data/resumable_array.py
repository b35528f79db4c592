"""A large array on disk that is filled chunk by chunk, survives a kill, and is seen only when it is whole."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType

import numpy as np
from filelock import FileLock, Timeout

from ..foundation.errors import UserError
from ..foundation.files import new_file, writing
from ..foundation.progress import Progress, SilentProgress

# Given the slices of rows that are missing, in order, yields their values in the same order; None
# leaves a chunk out.
Produce = Callable[[Sequence[slice]], Iterator["np.ndarray | None"]]

VALUES, DONE, DESCRIPTION, CHECKSUMS = "values.npy", "done", "array.json", "checksums"
# CRC-32 (zlib's) of each chunk and then of the description, little-endian.
CHECKSUM = np.dtype("<u4")
# At most so many seconds of finished chunks are computed again after a kill.
_SYNC_SECONDS = 1.0


def fill(
    folder: Path,
    shape: tuple[int, ...],
    dtype: np.dtype | type,
    chunk: int,
    produce: Produce,
    *,
    title: str,
    progress: Progress | None = None,
    about: Mapping[str, str | int] | None = None,
) -> np.ndarray | None:
    """The array [N, ...] in `folder`, memory-mapped read-only; what is missing of it is produced first.

    The array grows in `<folder>.building` and becomes `folder` in one step when its last chunk is
    there. A chunk counts as done only once its bytes are on the disk, so after a crash at any moment
    the next call goes on with the chunks that are missing. Whoever comes second waits on
    `<folder>.lock`, which the system releases when a process ends in whatever way. A checksum of each
    chunk is kept beside the values (`array_checks.damage` compares them); a whole array is opened
    without writing anything and without reading it all: its size and header are looked at.

    Args:
        folder: where the array lies, or will lie. Its name must depend on everything the values depend on.
        shape: N > 0 rows first.
        dtype: type of the values.
        chunk: rows a chunk.
        produce: called once, in this thread, with the missing chunks; its iterator is closed at the end.
        title: what to call the work in `progress`.
        about: what the array was made from, in few words, for whoever lists caches.

    Returns:
        The array, or None where `produce` left chunks out: they stay missing, the others are kept.

    Raises:
        UserError: full or read-only disk, or a folder that holds another array; the message names it.
    """
    progress = progress or SilentProgress()
    dtype = np.dtype(dtype)
    if not folder.exists():
        with _Lock(folder, title, progress):
            if not folder.exists():
                building = _Building(folder, shape, dtype, chunk, about or {})
                if not _fill(building, produce, title, progress):
                    return None
                building.finish(folder)
    return open_array(folder, shape, dtype)


def open_array(folder: Path, shape: tuple[int, ...], dtype: np.dtype | type) -> np.ndarray:
    """The finished array in `folder`, memory-mapped read-only.

    Raises UserError where the folder holds no array, a damaged one, or one of another shape or type.
    """
    path = folder / VALUES
    try:
        values = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: damaged ({error}); delete {folder} to have it made again") from error
    if path.stat().st_size != values.offset + values.nbytes:
        raise UserError(f"{path}: damaged (it is longer than its header says); delete {folder} to have it made again")
    if values.shape != tuple(shape) or values.dtype != np.dtype(dtype):
        found = f"{values.dtype} {list(values.shape)}"
        raise UserError(f"{folder} holds {found}, not {np.dtype(dtype)} {list(shape)}; delete it to have it made again")
    # A plain view: numpy's memmap class costs time at each indexing.
    return values.view(np.ndarray)


def discard(folder: Path) -> None:
    """Drop what is half built for `folder`, once whoever builds it has ended."""
    with _Lock(folder, f"discarding {folder.name}", SilentProgress()), writing(folder):
        shutil.rmtree(_building_path(folder), ignore_errors=True)


def lock_path(folder: Path) -> Path:
    """The lock of whoever builds `folder`."""
    return folder.with_name(f"{folder.name}.lock")


def _building_path(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.building")


def _fill(building: _Building, produce: Produce, title: str, progress: Progress) -> bool:
    """Whether all chunks are there at the end."""
    missing = building.missing()
    rows = sum(part.stop - part.start for part in missing)
    if rows < building.rows:
        progress.say(f"{title}: going on after {building.rows - rows} of {building.rows}")
    with building, progress.step(title, rows) as step, closing(_closable(produce(missing))) as produced:
        # The iterator may end early: then the rest is left out.
        for part, values in zip(missing, produced, strict=False):
            if values is not None:
                building.write(part, values)
            step.advance(part.stop - part.start)
    return not building.missing()


def _closable(produced: Iterator[np.ndarray | None]) -> Generator[np.ndarray | None, None, None]:
    """Any iterator as a generator, so that closing reaches the one that `produce` made."""
    yield from produced


class _Building:
    """The half-built array beside its final folder."""

    def __init__(
        self, folder: Path, shape: tuple[int, ...], dtype: np.dtype, chunk: int, about: Mapping[str, str | int]
    ):
        self.rows = shape[0]
        self._folder = _building_path(folder)
        self._shape, self._dtype, self._chunk = tuple(shape), dtype, chunk
        self._chunks = -(-self.rows // chunk)
        self._unsynced: dict[int, int] = {}
        self._synced = time.monotonic()
        description = {"shape": list(shape), "dtype": dtype.str, "chunk": chunk}
        with writing(folder):
            if not self._intact(description):
                shutil.rmtree(self._folder, ignore_errors=True)
                try:
                    self._create({**description, "about": dict(about)})
                except BaseException:
                    shutil.rmtree(self._folder, ignore_errors=True)
                    raise
        self._offset = np.lib.format.open_memmap(self._folder / VALUES, mode="r").offset
        self._row_bytes = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize

    def missing(self) -> list[slice]:
        """The rows of each chunk that is not done."""
        done = np.fromfile(self._folder / DONE, dtype=np.uint8)
        starts = np.flatnonzero(done == 0) * self._chunk
        return [slice(int(start), min(int(start) + self._chunk, self.rows)) for start in starts]

    def __enter__(self) -> _Building:
        with writing(self._folder):
            self._values = os.open(self._folder / VALUES, os.O_RDWR)
            self._checksums = os.open(self._folder / CHECKSUMS, os.O_RDWR)
            self._done = os.open(self._folder / DONE, os.O_RDWR)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        try:
            self._sync()
        finally:
            for descriptor in (self._values, self._checksums, self._done):
                os.close(descriptor)

    def write(self, part: slice, values: np.ndarray) -> None:
        expected = (part.stop - part.start, *self._shape[1:])
        if values.shape != expected or values.dtype != self._dtype:
            raise ValueError(f"produced {values.dtype} {values.shape}, expected {self._dtype} {expected}")
        values = np.ascontiguousarray(values)
        with writing(self._folder):
            # Not through the memory map: there a full disk is a crash of the whole process.
            _write_all(self._values, values, self._offset + part.start * self._row_bytes)
        self._unsynced[part.start // self._chunk] = zlib.crc32(_bytes(values))
        if time.monotonic() - self._synced >= _SYNC_SECONDS:
            self._sync()

    def finish(self, folder: Path) -> None:
        with writing(folder):
            self._folder.rename(folder)
            (folder / DONE).unlink()

    def _sync(self) -> None:
        """Bytes first, flags after: a flag never stands for bytes that a power cut may take."""
        with writing(self._folder):
            for number, checksum in self._unsynced.items():
                os.pwrite(self._checksums, CHECKSUM.type(checksum).tobytes(), number * CHECKSUM.itemsize)
            os.fsync(self._values)
            os.fsync(self._checksums)
            for number in self._unsynced:
                os.pwrite(self._done, b"\x01", number)
            os.fsync(self._done)
        self._unsynced.clear()
        self._synced = time.monotonic()

    def _intact(self, description: object) -> bool:
        """Whether the folder is this array's, and all its files came through the last crash."""
        try:
            described = json.loads((self._folder / DESCRIPTION).read_text())
            flags = (self._folder / DONE).stat().st_size
            checksums = (self._folder / CHECKSUMS).stat().st_size
            values = np.lib.format.open_memmap(self._folder / VALUES, mode="r")
            # Whatever it was made from first: that is told, not compared.
            del described["about"]
        except (OSError, ValueError, KeyError, TypeError):
            return False
        sizes = flags == self._chunks and checksums == CHECKSUM.itemsize * (self._chunks + 1)
        return sizes and described == description and values.shape == self._shape

    def _create(self, description: object) -> None:
        self._folder.mkdir(parents=True)
        path = self._folder / VALUES
        np.lib.format.open_memmap(path, mode="w+", dtype=self._dtype, shape=self._shape)
        with path.open("r+b") as file:
            _reserve(file.fileno(), path.stat().st_size)
        (self._folder / DONE).write_bytes(bytes(self._chunks))
        text = json.dumps(description).encode()
        checksums = np.zeros(self._chunks + 1, CHECKSUM)
        checksums[-1] = zlib.crc32(text)
        (self._folder / CHECKSUMS).write_bytes(checksums.tobytes())
        with new_file(self._folder / DESCRIPTION) as described:
            described.write_bytes(text)


def _reserve(descriptor: int, size: int) -> None:
    """Take the room on the disk at once, so that a disk too small is known before the work, not after."""
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        # Some file systems cannot; there a full disk shows while writing.
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
            raise


def _write_all(descriptor: int, values: np.ndarray, offset: int) -> None:
    left = _bytes(values)
    while left:
        written = os.pwrite(descriptor, left, offset)
        left, offset = left[written:], offset + written


def _bytes(values: np.ndarray) -> memoryview:
    return values.reshape(-1).view(np.uint8).data


class _Lock:
    """The lock beside `folder`; says so where it has to wait."""

    def __init__(self, folder: Path, title: str, progress: Progress):
        self._folder, self._title, self._progress = folder, title, progress

    def __enter__(self) -> None:
        with writing(self._folder):
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(lock_path(self._folder))
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                self._progress.say(f"{self._title}: another process is at it; waiting for {self._folder}")
                self._lock.acquire(poll_interval=0.2)
            except NotImplementedError as error:
                raise UserError(f"{self._folder}: the file system has no locks; choose another --cache") from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._lock.release()
