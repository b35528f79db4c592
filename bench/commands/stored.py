"""Records of a store, read for a command that shows them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ...foundation.errors import UserError
from ...foundation.registry import include as include_file
from ...results.record import Record
from ...results.store import Store
from ..config import run_config

MOST_DAMAGED = 3


def stored_records(
    store: Path | None, include: Sequence[Path] | None, task: str | None = None
) -> tuple[Store, list[Record]]:
    """The store and all its readable records; a damaged one is named on standard error and passed over.

    What is not given is taken from cxrbench.toml, as `run` does. Raises UserError where there is no store, or
    nothing in it.
    """
    config = run_config({"store": store, "include": include}, needs_grid=False)
    store = config.store
    for file in config.include:
        include_file(file)
    if not store.is_dir():
        raise UserError(f"--store {store}: no such folder; `cxrbench run` makes one")
    damaged: list[UserError] = []
    records = [each for each in Store(store).records(damaged.append) if task in (None, each.task)]
    for error in damaged[:MOST_DAMAGED]:
        print(f"cxrbench: {error}", file=sys.stderr)
    if len(damaged) > MOST_DAMAGED:
        print(f"cxrbench: and {len(damaged) - MOST_DAMAGED} more damaged records", file=sys.stderr)
    if not records:
        what = "no records" if task is None else f"no records of task {task}"
        raise UserError(f"--store {store}: {what}; `cxrbench run` makes some")
    return Store(store), records
