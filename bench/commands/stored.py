"""Records of a store, read for a command that shows them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...foundation.errors import UserError, unknown_name
from ...foundation.registry import include as include_file
from ...results.record import Record
from ...results.store import Store
from ..config import run_config

MOST_DAMAGED = 3


def stored_records(
    store: Path | None, include: Sequence[Path] | None, task: str | None = None
) -> tuple[Store, list[Record]]:
    """The store and all its readable records; see `each_stored_record`."""
    found, records = each_stored_record(store, include, task)
    return found, list(records)


def each_stored_record(
    store: Path | None, include: Sequence[Path] | None, task: str | None = None
) -> tuple[Store, Iterator[Record]]:
    """The store and its readable records, read one after the other; a damaged one is named on standard error and
    passed over.

    What is not given is taken from cxrbench.toml, as `run` does. Raises UserError where there is no store, and, when
    all is read, where there is nothing in it.
    """
    config = run_config({"store": store, "include": include}, needs_grid=False)
    for file in config.include:
        include_file(file)
    if config.store.is_file():
        raise UserError(f"--store {config.store} is a file; name the folder of records")
    if not config.store.is_dir():
        raise UserError(f"--store {config.store}: no such folder; `cxrbench run` makes one")
    found = Store(config.store)
    return found, _readable(found, task)


def _readable(store: Store, task: str | None) -> Iterator[Record]:
    damaged: list[UserError] = []
    found = 0
    seen: set[str] = set()
    for record in store.records(damaged.append):
        seen.add(record.task)
        if task in (None, record.task):
            found += 1
            yield record
    for error in damaged[:MOST_DAMAGED]:
        print(f"cxrbench: {error}", file=sys.stderr)
    if len(damaged) > MOST_DAMAGED:
        print(f"cxrbench: and {len(damaged) - MOST_DAMAGED} more damaged records", file=sys.stderr)
    if task is not None and seen and task not in seen:
        raise UserError(f"--task: {unknown_name('task with records in this store', task, seen)}")
    if not found:
        raise UserError(f"--store {store.path}: no records; `cxrbench run` makes some")
