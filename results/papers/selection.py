"""Which records of a store a paper's table shows: one set of settings a column, one version a task."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from ...foundation.errors import RefusedError
from ..record import Record
from ..settings_choice import of_settings
from ..table import refuse_mixture, refuse_several_weights
from .layout import Place


def select(records: Iterable[Record], places: Collection[Place], settings: Collection[str] = ()) -> list[Record]:
    """The records that `places` show, each encoder, draw and place once.

    Args:
        records: of one store.
        places: of the table.
        settings: hashes to choose by, see `of_settings`.

    Raises:
        RefusedError: several settings, data or task versions where one must stand, or several weights of one name.
        UserError: a settings hash that no record of the table has.
    """
    shown = {place.key[:4] for place in places}
    asked = [each for each in records if (each.task, each.variant, each.protocol, each.fraction) in shown]
    kept = of_settings(asked, settings)
    columns: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in kept:
        columns[record.task, record.variant, record.protocol].append(record)
    for column in columns.values():
        refuse_mixture(column)
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
