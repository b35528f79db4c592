"""Which trials of two encoders belong together: same draw, same settings, same test set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ..foundation.errors import RefusedError, UserError, unknown_name
from .record import Record
from .table import refuse_several_weights

_Draw = tuple[str, str, float, int]
Cell = tuple[str, str, float]
Pair = tuple[Record, Record]


def trial_pairs(
    records: list[Record], task: str, a: str, b: str, settings: str | None = None
) -> dict[Cell, list[Pair]]:
    """(variant, protocol, fraction) -> pairs of trials of a and b, by replicate.

    Raises:
        UserError: an encoder without records, or a settings hash that it has not.
        RefusedError: nothing in common, several settings or versions of the task, or several weights of one name.
    """
    if a == b:
        raise UserError(f"{a} is compared with itself; name two encoders")
    of_task = [record for record in records if record.task == task]
    trials = {name: _trials(of_task, name, settings) for name in (a, b)}
    shared = sorted(set(trials[a]) & set(trials[b]))
    if not shared:
        raise RefusedError(f"{a} and {b} share no variant, protocol, fraction and replicate of {task}")
    pairs: dict[Cell, list[Pair]] = defaultdict(list)
    for draw in shared:
        pair = (trials[a][draw], trials[b][draw])
        _refuse_unlike(*pair)
        pairs[draw[:3]].append(pair)
    for cell in pairs.values():
        _refuse_mixture(cell)
    return dict(pairs)


def alone(records: Sequence[Record], task: str, a: str, b: str, settings: str | None = None) -> dict[str, list[str]]:
    """Encoder -> its trials that the other one lacks, in words; nothing where all are paired."""
    of_task = [record for record in records if record.task == task]
    draws = {name: set(_trials(of_task, name, settings)) for name in (a, b)}
    found: dict[str, list[str]] = {}
    for name, other in ((a, b), (b, a)):
        cells: dict[Cell, list[int]] = defaultdict(list)
        for draw in sorted(draws[name] - draws[other]):
            cells[draw[:3]].append(draw[3])
        if cells:
            found[name] = [
                f"{variant} {protocol} {fraction:g} % replicate {', '.join(map(str, replicates))}"
                for (variant, protocol, fraction), replicates in cells.items()
            ]
    return found


def _trials(records: list[Record], encoder: str, settings: str | None) -> dict[_Draw, Record]:
    """The trials of `encoder` by variant, protocol, fraction and replicate."""
    mine = [record for record in records if record.encoder == encoder]
    if not mine:
        raise unknown_name("encoder in the trials of this task", encoder, {record.encoder for record in records})
    hashes = {record.settings_hash for record in mine}
    if settings is not None and settings not in hashes:
        raise UserError(f"--settings: {encoder}: {unknown_name('settings hash', settings, hashes)}")
    mine = [record for record in mine if settings in (None, record.settings_hash)]
    found: dict[_Draw, Record] = {}
    for record in mine:
        key = (record.variant, record.protocol, record.fraction, record.replicate)
        other = found.setdefault(key, record)
        if other.settings_hash != record.settings_hash:
            raise RefusedError(
                f"{encoder} has trials of several settings ({other.settings_hash}, {record.settings_hash}) at "
                f"{record.fraction:g} %, replicate {record.replicate}; choose one with --settings HASH"
            )
    refuse_several_weights(mine)
    return found


def _refuse_mixture(pairs: list[Pair]) -> None:
    hashes = sorted({record.settings_hash for pair in pairs for record in pair})
    if len(hashes) > 1:
        one = pairs[0][0]
        raise RefusedError(
            f"{one.task} {one.variant} {one.protocol} {one.fraction:g} %: replicates of {len(hashes)} settings or task "
            f"versions ({', '.join(hashes)}); choose one with --settings HASH"
        )


def _refuse_unlike(a: Record, b: Record) -> None:
    """Raise RefusedError where two trials of one draw differ in version, settings, data or split."""
    if a.task_version != b.task_version:
        raise RefusedError(
            f"{a.encoder} ran version {a.task_version} of {a.task} and {b.encoder} version {b.task_version}; "
            "run the older one again, or choose one with --settings HASH"
        )
    if a.settings_hash != b.settings_hash:
        raise RefusedError(
            f"{a.encoder} and {b.encoder} ran under different settings or data "
            f"({a.settings_hash}, {b.settings_hash}); choose one with --settings HASH"
        )
    if a.split.get("hash") != b.split.get("hash"):
        raise RefusedError(
            f"{a.encoder} and {b.encoder} trained or tested on other patients at {a.fraction:g} %, replicate "
            f"{a.replicate} (splits {a.split.get('hash')}, {b.split.get('hash')}); run one again on the other's data"
        )
