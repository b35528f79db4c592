"""Which records of a store a paper's table shows: one set of settings a column, one version a task."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from ...foundation.errors import RefusedError, UserError, unknown_name
from ..record import Record
from ..table import refuse_mixture, refuse_several_weights
from .layout import Place


def select(records: Iterable[Record], places: Collection[Place], settings: Sequence[str] = ()) -> list[Record]:
    """The records that `places` show, each encoder, draw and place once.

    Args:
        records: of one store.
        places: of the table.
        settings: hashes to choose by; a task and variant that has none of them is left as it is.

    Raises:
        RefusedError: several settings, data or task versions where one must stand, or several weights of one name.
        UserError: a settings hash that no record of the table has.
    """
    shown = {place.key[:4] for place in places}
    columns: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in records:
        if (record.task, record.variant, record.protocol, record.fraction) in shown:
            columns[record.task, record.variant, record.protocol].append(record)
    known = {record.settings_hash for column in columns.values() for record in column}
    for name in settings:
        if name not in known:
            raise UserError(f"--settings: {unknown_name('settings hash', name, known)}")
    kept: list[Record] = []
    for column in columns.values():
        chosen = [record for record in column if record.settings_hash in settings]
        refuse_mixture(chosen or column)
        kept += chosen or column
    _refuse_several_versions(kept)
    refuse_several_weights(kept)
    return kept


def _refuse_several_versions(records: Iterable[Record]) -> None:
    versions: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for record in records:
        versions[record.task].add((record.task_version, record.results_version))
    for task, found in versions.items():
        if len(found) > 1:
            listed = ", ".join(f"task {one} / results {other}" for one, other in sorted(found))
            raise RefusedError(
                f"{task}: records of {len(found)} versions ({listed}) in one table; run the older ones again, or "
                "choose with --settings HASH"
            )
