"""Encoder a against encoder b, replicate by replicate on the same draws and test images."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..foundation.errors import RefusedError, UserError, unknown_name
from .record import Record
from .table import refuse_several_weights

if TYPE_CHECKING:
    from ..tasks.task import Task
    from .store import Store


_Draw = tuple[str, str, float, int]


@dataclass(frozen=True)
class PairedDifference:
    """Two encoders at one fraction.

    Attributes:
        replicates: pairs of trials.
        mean_a: mean of the metric over those pairs, for a; None where undefined in every pair.
        mean_b: the same for b.
        difference: mean of a - b.
        sd: standard deviation of a - b over the pairs; None with fewer than two.
        a_better: pairs in which a is better; the direction of the metric is taken into account.
        b_better: pairs in which b is better.
        only_a_right: decisions on test images that only a got right, summed over the pairs.
        only_b_right: decisions that only b got right.
        n: test images.
        patients: patients among them.
    """

    variant: str
    protocol: str
    fraction: float
    metric: str
    replicates: int
    mean_a: float | None
    mean_b: float | None
    difference: float | None
    sd: float | None
    a_better: int
    b_better: int
    only_a_right: int
    only_b_right: int
    n: int
    patients: int
    synthetic: bool


def paired_differences(
    store: Store,
    records: list[Record],
    task: Task,
    a: str,
    b: str,
    metric: str | None = None,
    settings: str | None = None,
) -> list[PairedDifference]:
    """One row a (variant, protocol, fraction) that both encoders have among `records` of `store`.

    Raises:
        UserError: an encoder or metric without records.
        RefusedError: nothing in common, several settings, or test sets that differ.
    """
    metric = metric or task.meta.main_metric
    of_task = [record for record in records if record.task == task.meta.name]
    trials = {name: _trials(of_task, name, settings) for name in (a, b)}
    shared = sorted(set(trials[a]) & set(trials[b]))
    if not shared:
        raise RefusedError(f"{a} and {b} share no variant, protocol, fraction and replicate of {task.meta.name}")
    groups: dict[tuple[str, str, float], list[tuple[Record, Record]]] = defaultdict(list)
    for key in shared:
        groups[key[:3]].append((trials[a][key], trials[b][key]))
    return [_paired(store, task, metric, pairs) for pairs in groups.values()]


def _trials(records: list[Record], encoder: str, settings: str | None) -> dict[_Draw, Record]:
    """The trials of `encoder` by variant, protocol, fraction and replicate."""
    mine = [record for record in records if record.encoder == encoder]
    if not mine:
        raise unknown_name("encoder", encoder, {record.encoder for record in records})
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


def _paired(store: Store, task: Task, metric: str, pairs: list[tuple[Record, Record]]) -> PairedDifference:
    one = pairs[0][0]
    comparisons = []
    for record_a, record_b in pairs:
        if record_a.settings_hash != record_b.settings_hash:
            raise RefusedError(
                f"{record_a.encoder} and {record_b.encoder} ran under different settings or data "
                f"({record_a.settings_hash}, {record_b.settings_hash}); choose one with --settings HASH"
            )
        found = {each.metric: each for each in task.compare(store.predictions(record_a), store.predictions(record_b))}
        if metric not in found:
            raise UserError(f"--metric: {unknown_name('metric', metric, found)}")
        comparisons.append(found[metric])
    defined = [each for each in comparisons if each.difference is not None]
    differences = np.array([each.difference for each in defined], dtype=np.float64)
    sign = 1 if task.meta.metrics.get(metric.split("/")[0], True) else -1
    return PairedDifference(
        variant=one.variant,
        protocol=one.protocol,
        fraction=one.fraction,
        metric=metric,
        replicates=len(pairs),
        mean_a=_mean([each.value_a for each in defined]),
        mean_b=_mean([each.value_b for each in defined]),
        difference=float(differences.mean()) if len(differences) else None,
        sd=float(differences.std(ddof=1)) if len(differences) > 1 else None,
        a_better=int((sign * differences > 0).sum()),
        b_better=int((sign * differences < 0).sum()),
        only_a_right=sum(each.only_a_right for each in comparisons),
        only_b_right=sum(each.only_b_right for each in comparisons),
        n=comparisons[0].n,
        patients=comparisons[0].patients,
        synthetic=one.synthetic,
    )


def _mean(values: list[float | None]) -> float | None:
    return float(np.mean([value for value in values if value is not None])) if values else None
