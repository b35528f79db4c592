"""Which trial of a store stands against which of a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...foundation.errors import UserError
from ...foundation.settings import flattened
from ..record import Identity, Record
from .cell import CheckedCell, by_cell

_ABSENT = "absent"
_MOST_KEYS = 4

Pairs = dict[CheckedCell, list[tuple[Record, Record | None]]]


def pair(baseline: Sequence[Record], records: Sequence[Record]) -> tuple[Pairs, int]:
    """Every trial of the baseline with the trial of `records` that repeats it, None where there is none.

    A repeat has the same encoder name, task, variant, protocol, fraction and replicate; its weights may differ. Also
    returns how many of `records` the baseline does not ask for.

    Raises UserError where nothing is in common, a repeat was made under other settings, data or another split, or
    several answer for one trial.
    """
    found: dict[tuple[CheckedCell, int], list[Record]] = {}
    for cell, of_cell in by_cell(records).items():
        for record in of_cell:
            found.setdefault((cell, record.replicate), []).append(record)
    pairs: Pairs = {}
    used = 0
    for cell, of_cell in by_cell(baseline).items():
        for record in of_cell:
            candidates = found.get((cell, record.replicate), [])
            used += len(candidates)
            pairs.setdefault(cell, []).append((record, _repeat(cell, record, candidates)))
    if all(new is None for of_cell in pairs.values() for _, new in of_cell):
        cell, of_cell = next(iter(pairs.items()))
        raise UserError(
            f"--store: none of the baseline's {len(baseline)} trials is in it (the first: {cell}, "
            f"replicate {of_cell[0][0].replicate}); run them, or check with --rerun"
        )
    return pairs, len(records) - used


def difference_between(old: Record, new: Record | Identity) -> str:
    """Dotted keys in which a repeat must not differ and does, with both values; empty where there are none.

    Args:
        old: of the baseline.
        new: its repeat, or what is known of it before it runs.
    """
    before, after = dict(flattened(_must_be_equal(old))), dict(flattened(_must_be_equal(new)))
    keys = [key for key in {**before, **after} if before.get(key, _ABSENT) != after.get(key, _ABSENT)]
    shown = [f"{key} ({before.get(key, _ABSENT)} / {after.get(key, _ABSENT)})" for key in keys[:_MOST_KEYS]]
    more = len(keys) - _MOST_KEYS
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _must_be_equal(trial: Record | Identity) -> dict[str, Any]:
    # What defines the encoder is what is checked; everything else is the test's own.
    code = {part: sha for part, sha in trial.code.items() if part != "encoder"}
    return {
        "task_version": trial.task_version,
        "dataset": trial.dataset,
        "split": trial.split.get("hash") if isinstance(trial, Record) else trial.split,
        "code": code,
        **trial.settings,
    }


def _repeat(cell: CheckedCell, record: Record, candidates: list[Record]) -> Record | None:
    if not candidates:
        return None
    alike = [each for each in candidates if not difference_between(record, each)]
    if not alike:
        raise UserError(
            f"{cell}, replicate {record.replicate}: baseline and store were not made alike, so their difference says "
            f"nothing about the encoder; they differ in {difference_between(record, candidates[0])}. Run it as the "
            "baseline was, or save a new baseline"
        )
    if len(alike) > 1:
        places = " and ".join(str(each.place) for each in alike)
        raise UserError(
            f"{cell}, replicate {record.replicate}: the store has {len(alike)} trials of it: {places}; remove the "
            "folder of the old one, or check with --rerun"
        )
    return alike[0]
