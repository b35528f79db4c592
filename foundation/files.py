"""Files that are replaced whole or not at all, and hashes of what they hold."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from platformdirs import user_cache_path

from .errors import UserError

# What reading a damaged zip archive raises, such as an .npz: errors of the file, of zipfile (NotImplementedError for a
# method that there is not) and of zlib.
DAMAGED_ARCHIVE = (OSError, ValueError, KeyError, EOFError, RuntimeError, BadZipFile, zlib.error)


def default_cache() -> Path:
    """The folder for what can be made again: decoded images, features, phantoms, downloaded weights."""
    return user_cache_path("cxrbench")


def expanded(path: Path | str) -> Path:
    """`path` with the folder of a user in place of `~` or `~name`; as it is where there is no such user."""
    # pathlib's own raises where there is none.
    return Path(os.path.expanduser(path))  # noqa: PTH111


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; what stands there afterwards replaces `path` in one step.

    On an exception `path` is left as it was and the half-written file goes. A link stays a link: what it leads to is
    replaced.

    Raises UserError where `path` is a folder or a device, which must not be replaced, or cannot be written.
    """
    with writing(path):
        path = path.resolve()
        if path.exists() and not path.is_file():
            raise UserError(f"{path} is a {'folder' if path.is_dir() else 'device or pipe'}, not a file; name a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
        try:
            yield beside
            _sync(beside)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path, beside: Path) -> Iterator[Path]:
    """The empty folder `beside` (same disk as `path`) to fill; it becomes `path` in one step.

    What an earlier, killed writer left in `beside` goes first, so only one writer at a time may use it.
    An existing `path` is never overwritten: the new folder is dropped then, because whoever made the
    other one finished first. On an exception nothing is left.
    """
    with writing(path):
        try:
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir(parents=True)
            yield beside
            for file in beside.iterdir():
                _sync(file)
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                beside.rename(path)
            except OSError:
                if not path.exists():
                    raise
        finally:
            shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a full disk or a read-only folder into one line that names `path`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        way_out = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "choose another folder"
        raise UserError(f"cannot write {path}: {reason}; {way_out}") from error


def sha256_of_file(path: Path) -> str:
    """Hexadecimal SHA-256 of the bytes of `path`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_json(value: Any) -> str:
    """Hexadecimal SHA-256 of `value` as JSON with sorted keys, equal on every machine and Python."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _sync(path: Path) -> None:
    """Force `path` to the disk before it gets its final name, so that a power cut leaves no empty file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
