"""Records of a store, read for a command that shows them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ...foundation.errors import UserError
from ...foundation.registry import include as include_file
from ...results.record import Record
from ...results.store import Store


def stored_records(store: Path, include: Sequence[Path], task: str | None = None) -> list[Record]:
    """All readable records; a damaged one is named on standard error and passed over.

    Raises UserError where there is no store, or nothing in it.
    """
    for file in include:
        include_file(file)
    if not store.is_dir():
        raise UserError(f"--store {store}: no such folder; `cxrbench run` makes one")
    damaged: list[UserError] = []
    records = [each for each in Store(store).records(damaged.append) if task in (None, each.task)]
    for error in damaged:
        print(f"cxrbench: {error}", file=sys.stderr)
    if not records:
        what = "no records" if task is None else f"no records of task {task}"
        raise UserError(f"--store {store}: {what}; `cxrbench run` makes some")
    return records
