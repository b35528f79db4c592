"""A folder of records: plain files, each trial written whole or not at all."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..foundation.errors import RefusedError, UserError
from ..foundation.files import new_folder, sha256_of_file, writing
from .record import Record

if TYPE_CHECKING:
    import pandas as pd

    from ..tasks.predictions import Predictions

RECORD, PREDICTIONS, HISTORY = "record.json", "predictions.parquet", "history.csv"
PARTIAL = ".partial"
ABANDONED_SECONDS = 24 * 3600


class Store:
    """`<store>/<task>/<variant>/<encoder>/<protocol>/<fraction>/<replicate>-<fingerprint>/`.

    Nothing else is needed to read it, so it can be copied, merged and shared. Half-written trials,
    resume checkpoints and claims lie in `.partial/`.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)

    @property
    def partial(self) -> Path:
        """Folder for what is not finished."""
        return self.path / PARTIAL

    def records(self, on_damage: Callable[[UserError], None] | None = None) -> Iterator[Record]:
        """All records, in the order of their folders.

        A record that cannot be read raises UserError, or is handed to `on_damage` and passed over.
        """
        # As texts: paths take several times as long to compare, and a store may hold many.
        above = str(self.path / "x")[:-1]
        for folder in self.folders():
            try:
                record = Record.read(folder / RECORD)
                if str(folder) != above + str(record.place):
                    raise UserError(
                        f"{folder}: holds the trial of another place, {record.place}; move it there, or remove it"
                    )
                yield record
            except UserError as error:
                if on_damage is None:
                    raise
                on_damage(error)

    def folders(self) -> Iterator[Path]:
        """Folders of trials, six levels down, sorted by name (replicates by number)."""
        level = [self.path] if self.path.is_dir() else []
        for depth in range(6):
            level = [entry for folder in level for entry in _folders_in(folder, by_number=depth >= 4)]
        yield from level

    def has(self, place: Path) -> bool:
        """Whether a whole trial lies at `place` (relative to the store)."""
        return (self.path / place / RECORD).is_file() and (self.path / place / PREDICTIONS).is_file()

    def save(self, record: Record, predictions: Predictions, history: pd.DataFrame) -> Path:
        """Write one trial; it appears in one step and never replaces another.

        Raises UserError naming the store where the disk is full or read-only; nothing is left then.
        """
        place = self.path / record.place
        if place.exists() and not self.has(record.place):
            # A trial that lost its record or its predictions: what is left of it is of no use.
            shutil.rmtree(place)
        with new_folder(place, self.partial / record.fingerprint) as folder:
            predictions.write(folder / PREDICTIONS)
            history.to_csv(folder / HISTORY, index=False)
            whole = replace(record, predictions_sha256=sha256_of_file(folder / PREDICTIONS))
            (folder / RECORD).write_text(whole.to_json(), encoding="utf-8")
        return place

    def predictions(self, record: Record) -> Predictions:
        """The predictions that `record` was made of.

        Raises UserError where the file is missing or damaged, RefusedError where it holds other predictions.
        """
        from ..tasks.predictions import Predictions

        file = self.path / record.place / PREDICTIONS
        found = Predictions.read(file)
        # Records of schema version 1 do not say.
        if record.predictions_sha256 and sha256_of_file(file) != record.predictions_sha256:
            raise RefusedError(
                f"{file}: not the predictions that its record.json was made of (their hashes differ); remove the "
                "trial's folder and start `cxrbench run` again"
            )
        return found

    def writable(self) -> None:
        """Raise UserError where nothing can be written here: asked before any training."""
        with writing(self.path):
            self.partial.mkdir(parents=True, exist_ok=True)
            probe = self.partial / f"probe-{os.getpid()}"
            probe.write_bytes(b"\0" * 4096)
            probe.unlink()

    @contextmanager
    def claim(self, fingerprint: str) -> Iterator[bool]:
        """Hold the right to run a trial: True where it was free. It ends with the process, however that ends."""
        from filelock import FileLock, Timeout

        with writing(self.path):
            self.partial.mkdir(parents=True, exist_ok=True)
        file = self.partial / f"{fingerprint}.claim"
        lock = FileLock(file, blocking=False)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        except OSError as error:
            raise UserError(f"cannot lock {file}: {error.strerror}; use a store on a disk that has locks") from error
        try:
            yield True
        finally:
            # Whoever opened the file before it goes still gets its lock; the record that is there by then stops them.
            file.unlink(missing_ok=True)
            lock.release()

    def tidy(self) -> None:
        """Remove what killed writers left of files that were never finished, and the folder where it is empty."""
        for rest in self.partial.glob(".*"):
            with suppress(OSError):
                if time.time() - rest.stat().st_mtime > ABANDONED_SECONDS:
                    rest.unlink()
        with suppress(OSError):
            self.partial.rmdir()


def _folders_in(folder: Path, by_number: bool) -> list[Path]:
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    names.sort(key=_leading_number if by_number else None)
    return [folder / name for name in names]


def _leading_number(name: str) -> tuple[float, str]:
    try:
        return float(name.split("-")[0]), name
    except ValueError:
        return float("inf"), name
