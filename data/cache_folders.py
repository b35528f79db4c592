"""What lies in the cache folder: decoded images, features, phantoms, hashes of files; listed, checked, removed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..foundation.errors import RefusedError, UserError, unknown_name
from ..foundation.files import writing
from .cache_kinds import CACHE_KINDS, CacheKind

BUILDING = "building"
_REMOVING = ".removing"


@dataclass(frozen=True)
class CacheEntry:
    """One thing in the cache that can be made again.

    Attributes:
        kind: `images`, `features`, `phantoms`, ...: the folder of the cache that it lies in.
        key: its name there.
        path: the folder or file.
        size: bytes.
        made: when it was made or last worked on, seconds since 1970.
        about: what it was made from, in words; empty where nothing says so.
        building: whether it is only half there.
    """

    kind: str
    key: str
    path: Path
    size: int
    made: float
    about: str
    building: bool = False

    def __str__(self) -> str:
        return f"{self.kind}/{self.key}"

    @property
    def days(self) -> float:
        """Age in days."""
        return (time.time() - self.made) / 86400

    @property
    def has_checksums(self) -> bool:
        """Whether `damage` finds a flipped byte in it."""
        return CACHE_KINDS[self.kind].has_checksums and not self.building

    def damage(self) -> Iterator[tuple[int, str]]:
        """Read all of it: bytes read, and in one line what is wrong (empty where nothing is), piece by piece."""
        return CACHE_KINDS[self.kind].damage(self.path)


def cache_entries(cache: Path) -> list[CacheEntry]:
    """Everything in `cache` that cxrbench made there, by kind and then the oldest first; links are not followed."""
    found = []
    for name, kind in CACHE_KINDS.items():
        folder = cache / name
        if folder.is_dir() and not folder.is_symlink():
            entries = [_entry(name, kind, path) for path in folder.iterdir() if not path.is_symlink()]
            found += sorted(filter(None, entries), key=lambda entry: (entry.made, entry.key))
    return found


def chosen(
    entries: list[CacheEntry], keys: tuple[str, ...] = (), kind: str | None = None, older_than: float | None = None
) -> list[CacheEntry]:
    """Those of `entries` that are asked for.

    Args:
        entries: of one cache.
        keys: names, or the beginnings of names, with or without `KIND/` before; () takes all.
        kind: a kind, or `building` for what is only half there; None takes all.
        older_than: days since they were made; None takes all.

    Raises UserError for an unknown kind, a key that no entry has, or a beginning that several have.
    """
    if kind is not None and kind not in CACHE_KINDS and kind != BUILDING:
        raise unknown_name("kind of cache", kind, [*CACHE_KINDS, BUILDING])
    wanted = entries
    if keys:
        named = [entry for key in keys for entry in _with_key(entries, key)]
        wanted = [entry for entry in entries if entry in named]
    if kind is not None:
        wanted = [entry for entry in wanted if (entry.building if kind == BUILDING else entry.kind == kind)]
    return [entry for entry in wanted if older_than is None or entry.days > older_than]


def remove(cache: Path, entry: CacheEntry) -> None:
    """Delete `entry`; whoever has it open goes on reading it.

    Raises:
        RefusedError: somebody is making it right now, or it lies outside `cache`.
        UserError: it cannot be deleted.
    """
    from filelock import FileLock, Timeout

    if not entry.path.resolve().is_relative_to(cache.resolve()):
        raise RefusedError(f"{entry.path} lies outside the cache {cache}; nothing was removed")
    place = CACHE_KINDS[entry.kind].lock(entry.path.parent, entry.key)
    with writing(entry.path):
        if place is None:
            entry.path.unlink(missing_ok=True)
            return
        lock = FileLock(place)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RefusedError(f"{entry} is being made by another process; let that end first") from None
        try:
            if entry.path.is_dir():
                _remove_folder(entry.path)
            else:
                entry.path.unlink(missing_ok=True)
            # Whoever waits for this lock sees that its file is gone, and makes a new one.
            place.unlink(missing_ok=True)
        finally:
            lock.release()


def _entry(name: str, kind: CacheKind, path: Path) -> CacheEntry | None:
    try:
        found = kind.key(path)
        if found is None:
            return None
        size, made = _size_and_time(path)
        return CacheEntry(name, found[0], path, size, made, kind.about(path), found[1])
    except OSError:  # it went while we looked, or is another user's and closed to us
        return None


def _size_and_time(path: Path) -> tuple[int, float]:
    statuses = [path.lstat(), *(each.lstat() for each in path.rglob("*"))] if path.is_dir() else [path.lstat()]
    return sum(each.st_size for each in statuses), max(each.st_mtime for each in statuses)


def _with_key(entries: list[CacheEntry], key: str) -> list[CacheEntry]:
    kind, _, name = key.rpartition("/")
    found = [entry for entry in entries if entry.key.startswith(name) and kind in ("", entry.kind)]
    if not found or not name:
        raise UserError(f"nothing in the cache is called {key!r}; `cxrbench data cache ls` lists what is there")
    exact = [entry for entry in found if entry.key == name]
    names = sorted({str(entry) for entry in exact or found})
    if len(names) > 1:
        shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        raise UserError(f"{key!r} is the beginning of several: {shown}; give more of one")
    return exact or found


def _remove_folder(path: Path) -> None:
    """Rename first: a removal that is killed leaves nothing that looks whole."""
    for left in path.parent.glob(f".*{_REMOVING}"):
        shutil.rmtree(left, ignore_errors=True)
    # Another removal may take this one's files for what a killed one left.
    with suppress(FileNotFoundError):
        shutil.rmtree(path.rename(path.with_name(f".{path.name}{_REMOVING}")))
