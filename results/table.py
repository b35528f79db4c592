"""Mean and standard deviation over replicates, encoders in rows and fractions in columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..foundation.errors import RefusedError, UserError, unknown_name
from ..foundation.settings import flattened
from .record import Record


@dataclass(frozen=True)
class Cell:
    """One encoder at one fraction.

    Attributes:
        mean: over the replicates for which the metric is defined; None where it never is.
        sd: sample standard deviation (n - 1); None with fewer than two values.
        defined: replicates with a value.
        replicates: replicates in the store.
    """

    mean: float | None
    sd: float | None
    defined: int
    replicates: int


@dataclass(frozen=True)
class Table:
    """All encoders of a store on one task, variant and protocol.

    Attributes:
        cells: (encoder, fraction) -> Cell; an absent key was not run.
        synthetic: True where the data are phantoms.
        notes: what must be read with the numbers: notes that all records share.
        trials_with_notes: records that have notes of their own besides.
    """

    task: str
    variant: str
    protocol: str
    metric: str
    encoders: tuple[str, ...]
    fractions: tuple[float, ...]
    cells: Mapping[tuple[str, float], Cell]
    synthetic: bool
    settings_hash: str
    notes: tuple[str, ...]
    trials_with_notes: int


def tables(records: Iterable[Record], metric_of: Mapping[str, str], settings: str | None = None) -> list[Table]:
    """One table a (task, variant, protocol) of `records`.

    Args:
        records: of one store.
        metric_of: task -> the metric to show.
        settings: keep only records with this settings hash.

    Raises:
        RefusedError: records of one table that were made under different settings or on different data.
        UserError: a metric that the records lack, or a settings hash that none has.
    """
    groups: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    hashes: set[str] = set()
    for record in records:
        hashes.add(record.settings_hash)
        if settings is None or record.settings_hash == settings:
            groups[record.task, record.variant, record.protocol].append(record)
    if settings is not None and not groups:
        raise UserError(f"--settings: {unknown_name('settings hash', settings, hashes)}")
    return [_table(group, metric_of[group[0].task]) for _, group in sorted(groups.items())]


def _table(records: list[Record], metric: str) -> Table:
    one = records[0]
    refuse_mixture(records)
    refuse_several_weights(records)
    lacking = [record for record in records if metric not in record.metrics]
    if lacking:
        raise UserError(f"--metric: {one.task}: {unknown_name('metric', metric, one.metrics)}")
    values: dict[tuple[str, float], list[float | None]] = defaultdict(list)
    for record in records:
        values[record.encoder, record.fraction].append(record.metrics[metric])
    shared = set(one.notes).intersection(*(record.notes for record in records))
    return Table(
        task=one.task,
        variant=one.variant,
        protocol=one.protocol,
        metric=metric,
        encoders=tuple(sorted({record.encoder for record in records})),
        fractions=tuple(sorted({record.fraction for record in records})),
        cells={place: _cell(found) for place, found in values.items()},
        synthetic=one.synthetic,
        settings_hash=one.settings_hash,
        notes=tuple(sorted(shared)),
        trials_with_notes=sum(bool(set(record.notes) - shared) for record in records),
    )


def refuse_several_weights(records: Iterable[Record]) -> None:
    """Raise RefusedError where one encoder's name stands for several weights, or a replicate is there twice."""
    seen: dict[tuple[object, ...], Record] = {}
    for record in records:
        key = (record.encoder, record.task, record.variant, record.protocol, record.fraction, record.replicate)
        other = seen.setdefault(key, record)
        if other is not record:
            raise RefusedError(
                f"{record.encoder} on {record.task} has two trials at {record.fraction:g} %, replicate "
                f"{record.replicate}: {other.place} and {record.place}; remove the folder of one (other weights, "
                "code or split), and give every set of weights a name of its own"
            )


def _cell(values: list[float | None]) -> Cell:
    defined = np.array([value for value in values if value is not None])
    return Cell(
        mean=float(defined.mean()) if len(defined) else None,
        sd=float(defined.std(ddof=1)) if len(defined) > 1 else None,
        defined=len(defined),
        replicates=len(values),
    )


def refuse_mixture(records: Iterable[Record]) -> None:
    """Raise RefusedError where records that share a column ran under several settings, data or versions."""
    by_hash: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_hash[record.settings_hash].append(record)
    if len(by_hash) > 1:
        one = next(iter(by_hash.values()))[0]
        counts = ", ".join(f"{key} ({len(found)} trials)" for key, found in sorted(by_hash.items()))
        raise RefusedError(
            f"{one.task} {one.variant} {one.protocol}: records of {len(by_hash)} settings: {counts}; "
            f"choose one with --settings HASH. They differ in {_difference([found[0] for found in by_hash.values()])}"
        )


def _difference(records: list[Record]) -> str:
    """Dotted keys in which settings, data or versions of `records` differ, with their values."""
    seen: dict[str, set[str]] = defaultdict(set)
    for record in records:
        made_by: dict[str, Any] = {
            **record.settings,
            "dataset": record.dataset,
            "task_version": record.task_version,
            "results_version": record.results_version,
        }
        for key, value in flattened(made_by):
            seen[key].add(str(value))
    differing = [f"{key} ({' / '.join(sorted(found))})" for key, found in seen.items() if len(found) > 1]
    return ", ".join(differing[:4]) or "keys that only some of them have"
