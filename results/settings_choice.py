"""What `--settings` leaves of a store's records."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..foundation.errors import UserError, unknown_name
from .record import Record


def of_settings(records: Sequence[Record], hashes: Collection[str]) -> list[Record]:
    """`records` with a choice made wherever there is one to make.

    A task, variant and protocol that has records of any of `hashes` keeps only those; the others stay as they are:
    hashes differ from task to task, so a choice for one says nothing about another.

    Args:
        records: of one store, in any order, which is kept.
        hashes: settings hashes; without any, all records stay.

    Raises:
        UserError: a hash that no record has.
    """
    known = {record.settings_hash for record in records}
    for each in hashes:
        if each not in known:
            raise UserError(f"--settings: {unknown_name('settings hash', each, known)}")
    chosen = {_column(record) for record in records if record.settings_hash in hashes}
    return [record for record in records if record.settings_hash in hashes or _column(record) not in chosen]


def _column(record: Record) -> tuple[str, str, str]:
    return record.task, record.variant, record.protocol
