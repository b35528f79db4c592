"""Mean and standard deviation over replicates, encoders in rows and fractions in columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..foundation.errors import RefusedError, UserError, unknown_name
from ..foundation.settings import flattened
from .record import Record
from .settings_choice import of_settings


@dataclass(frozen=True)
class Cell:
    """One encoder at one fraction.

    Attributes:
        mean: over the replicates for which the metric is defined; None where it never is.
        sd: sample standard deviation (n - 1); None with fewer than two values.
        defined: replicates with a value.
        replicates: replicates in the store.
        contaminated: whether the encoder saw images of this dataset in pretraining.
        left_out: how many images of the dataset the user went on without.
        unverified: whether the weights are not known to be the published ones.
    """

    mean: float | None
    sd: float | None
    defined: int
    replicates: int
    contaminated: bool = False
    left_out: int = 0
    unverified: bool = False


@dataclass(frozen=True)
class Table:
    """All encoders of a store on one task, variant and protocol.

    Attributes:
        cells: (encoder, fraction) -> Cell; an absent key was not run.
        synthetic: True where the data are phantoms.
        dataset: registered name.
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
    dataset: str = ""


def tables(records: Sequence[Record], metric_of: Mapping[str, str], settings: Collection[str] = ()) -> list[Table]:
    """One table a (task, variant, protocol) of `records`.

    Args:
        records: of one store.
        metric_of: task -> the metric to show.
        settings: hashes to choose by, see `of_settings`.

    Raises:
        RefusedError: records of one table that were made under different settings or on different data.
        UserError: a metric that the records lack, or a settings hash that none has.
    """
    groups: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in of_settings(records, settings):
        groups[record.task, record.variant, record.protocol].append(record)
    return [_table(group, metric_of[group[0].task]) for _, group in sorted(groups.items())]


def _table(records: list[Record], metric: str) -> Table:
    one = records[0]
    refuse_mixture(records)
    refuse_several_weights(records)
    lacking = [record for record in records if metric not in record.metrics]
    if len(lacking) == len(records):
        raise UserError(f"--metric: {one.task}: {unknown_name('metric', metric, one.metrics)}")
    if lacking:
        raise RefusedError(
            f"--metric {metric}: {len(lacking)} of {len(records)} trials do not record it, such as "
            f"{lacking[0].place}; remove their folders and start `cxrbench run` again"
        )
    cells: dict[tuple[str, float], list[Record]] = defaultdict(list)
    for record in records:
        cells[record.encoder, record.fraction].append(record)
    shared = set(one.notes).intersection(*(record.notes for record in records))
    return Table(
        task=one.task,
        variant=one.variant,
        protocol=one.protocol,
        metric=metric,
        encoders=tuple(sorted({record.encoder for record in records})),
        fractions=tuple(sorted({record.fraction for record in records})),
        cells={place: _cell(found, metric) for place, found in cells.items()},
        synthetic=one.synthetic,
        settings_hash=one.settings_hash,
        notes=tuple(sorted(shared)),
        trials_with_notes=sum(bool(set(record.notes) - shared) for record in records),
        dataset=str(one.dataset.get("name", "")),
    )


def refuse_several_weights(records: Iterable[Record]) -> dict[str, str]:
    """Encoder -> the name of its weights.

    Raises RefusedError where one encoder's name stands for several weights, whose results would be averaged, or where
    a replicate is there twice.
    """
    draws: dict[tuple[object, ...], Record] = {}
    weights: dict[str, Record] = {}
    for record in records:
        key = (record.encoder, record.task, record.variant, record.protocol, record.fraction, record.replicate)
        other = draws.setdefault(key, record)
        if other is not record:
            raise RefusedError(
                f"{record.encoder} on {record.task} has two trials at {record.fraction:g} %, replicate "
                f"{record.replicate}: {other.place} and {record.place}; remove the folder of one (other weights, "
                "code or split), and give every set of weights a name of its own"
            )
        first = weights.setdefault(record.encoder, record)
        if first.weights_name != record.weights_name:
            raise RefusedError(
                f"{record.encoder} stands for several weights: {first.weights_name} ({first.place}) and "
                f"{record.weights_name} ({record.place}); give each a name of its own, or remove the trials of one"
            )
    return {encoder: first.weights_name for encoder, first in weights.items()}


def mean_and_sd(values: Sequence[float] | np.ndarray) -> tuple[float | None, float | None]:
    """Mean, None without a value, and sample standard deviation (n - 1), None with fewer than two."""
    return (
        float(np.mean(values)) if len(values) else None,
        float(np.std(values, ddof=1)) if len(values) > 1 else None,
    )


def _cell(records: list[Record], metric: str) -> Cell:
    values = [record.metrics[metric] for record in records]
    defined = [value for value in values if value is not None]
    mean, sd = mean_and_sd(defined)
    return Cell(
        mean=mean,
        sd=sd,
        defined=len(defined),
        replicates=len(values),
        contaminated=any(record.contaminated for record in records),
        left_out=max(record.left_out for record in records),
        unverified=any(record.unverified for record in records),
    )


def refuse_mixture(records: Iterable[Record]) -> None:
    """Raise RefusedError where records that share a column ran under several settings, data or versions."""
    by_hash: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_hash[record.settings_hash].append(record)
    if len(by_hash) > 1:
        groups = sorted(by_hash.items())
        one = groups[0][1][0]
        differing = _difference([found[0] for _, found in groups])
        counts = ", ".join(f"{key} ({len(found)} trial{'s' * (len(found) > 1)})" for key, found in groups)
        raise RefusedError(
            f"{one.task} {one.variant} {one.protocol}: records of {len(groups)} settings: {counts}; "
            f"choose one with --settings HASH. They differ, in this order, in {differing}"
        )
    _refuse_other_splits(one for found in by_hash.values() for one in found)


def _refuse_other_splits(records: Iterable[Record]) -> None:
    """Raise RefusedError where one draw of a task is one split for some encoders and another for others.

    Draws do not depend on the encoder; splits that were read from a file may differ from them, or from one another.
    """
    first: dict[tuple[str, str, float, int], Record] = {}
    for record in records:
        draw = (record.task, record.variant, record.fraction, record.replicate)
        other = first.setdefault(draw, record)
        if other.split.get("hash") != record.split.get("hash"):
            way_out = "run both with the same --splits file, or both without one"
            if other.left_out != record.left_out:
                way_out = f"{other.left_out} and {record.left_out} images were left out; run both on the same images"
            raise RefusedError(
                f"{record.task} {record.variant} {record.fraction:g} % #{record.replicate}: {other.encoder} and "
                f"{record.encoder} ran on different splits; {way_out}"
            )


def _difference(records: list[Record]) -> str:
    """Dotted keys in which settings, data or versions of `records` differ, with the value of each record."""
    made_by = [
        dict(
            flattened(
                {
                    **record.settings,
                    "dataset": record.dataset,
                    "task_version": record.task_version,
                    "results_version": record.results_version,
                }
            )
        )
        for record in records
    ]
    keys = dict.fromkeys(key for each in made_by for key in each)
    values = {key: [str(each.get(key, "not set")) for each in made_by] for key in keys}
    differing = [f"{key} ({' / '.join(found)})" for key, found in values.items() if len(set(found)) > 1]
    return ", ".join(differing[:4])
