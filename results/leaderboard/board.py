"""What stands on a leaderboard: encoders in rows, one (task, variant, fraction) a column."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...foundation.errors import UserError
from ..record import Record
from ..settings_choice import of_settings
from ..table import Cell, Table, refuse_several_weights, tables
from .main_metric import MetricOf, registered_main_metric


@dataclass(frozen=True)
class BoardColumn:
    """One task, variant and fraction.

    Attributes:
        fraction: per cent of the training patients.
        metric: the task's main metric, and its direction.
        title: the task in one line.
        dataset: registered name of its dataset.
        settings_hash: the settings that all its records share.
        replicates: those for which at least one encoder has a value; 0 where the metric is undefined throughout.
    """

    task: str
    variant: str
    fraction: float
    metric: str
    higher_is_better: bool
    title: str
    dataset: str
    settings_hash: str
    replicates: int

    @property
    def block(self) -> str:
        """The task, with its variant where it has several: neighbours of one block share a heading."""
        return self.task if self.variant == "default" else f"{self.task} {self.variant}"

    @property
    def name(self) -> str:
        """`chexpert 10 %`."""
        return f"{self.block} {self.fraction:g} %"


@dataclass(frozen=True)
class BoardCell:
    """One encoder in one column.

    Attributes:
        cell: mean, SD and counts over replicates.
        complete: whether it has a value for every replicate for which any encoder of the column has one.
        contaminated: whether images of the column's dataset were used in the encoder's pretraining.
        notes: what all its trials say, and how many say more.
    """

    cell: Cell
    complete: bool
    contaminated: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Board:
    """All encoders under one protocol, on real data or on phantoms, never on both.

    Attributes:
        protocol: frozen or finetune.
        synthetic: whether the data are phantoms.
        encoders: names, sorted.
        columns: sorted by task, variant and fraction.
        cells: (encoder, position of the column) -> cell; an absent key was not run.
        weights: encoder -> the first digits of the hash of its weights, or `random` with the architecture.
        notes: what must be read with the numbers.
    """

    protocol: str
    synthetic: bool
    encoders: tuple[str, ...]
    columns: tuple[BoardColumn, ...]
    cells: Mapping[tuple[str, int], BoardCell]
    weights: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of its tasks, each once, in the order of the columns."""
        return tuple(dict.fromkeys(column.task for column in self.columns))

    def values(self) -> np.ndarray:
        """Means [encoders, columns] of complete cells; NaN where a cell is absent, undefined or lacks replicates."""
        found = np.full((len(self.encoders), len(self.columns)), np.nan)
        row = {name: number for number, name in enumerate(self.encoders)}
        for (name, position), one in self.cells.items():
            if one.complete and one.cell.mean is not None:
                found[row[name], position] = one.cell.mean
        return found

    def contaminated(self, encoder: str) -> bool:
        """Whether any cell of `encoder` is."""
        return any(one.contaminated for (name, _), one in self.cells.items() if name == encoder)

    def unverified(self, encoder: str) -> bool:
        """Whether any cell of `encoder` was made with weights that are not known to be the published ones."""
        return any(one.cell.unverified for (name, _), one in self.cells.items() if name == encoder)

    def missing(self, encoder: str) -> tuple[str, ...]:
        """In words, each column in which `encoder` has no value, or lacks replicates that others have.

        A column that is undefined for every encoder is asked of none.
        """
        found = []
        for position, column in enumerate(self.columns):
            one = self.cells.get((encoder, position))
            if column.replicates == 0 or (one is not None and one.complete):
                continue
            if one is None:
                found.append(f"{column.name} (not run)")
            elif one.cell.mean is None:
                found.append(f"{column.name} (undefined)")
            else:
                found.append(f"{column.name} ({one.cell.defined} of {column.replicates} replicates)")
        return tuple(found)


def boards(
    records: Iterable[Record],
    settings: Collection[str] = (),
    metric_of: MetricOf = registered_main_metric,
) -> list[Board]:
    """One board a protocol and kind of data: real data first, frozen before finetune.

    Rows without an encoder are no encoders and get no rank: they are left out, and the notes say so.

    Args:
        records: of one store, read once and not kept whole, so that a generator of very many will do.
        settings: hashes to choose by, see `of_settings`.
        metric_of: task -> main metric. A task for which it raises UserError is left out, and the notes say so.

    Raises:
        RefusedError: records of several settings in one (task, variant, protocol), or one name for several weights.
        UserError: a settings hash that no record has, or nothing left to show.
    """
    slim, unranked = _slimmed(records, metric_of)
    groups: dict[tuple[bool, str, str, str], list[Record]] = defaultdict(list)
    for record in of_settings(slim, settings):
        groups[record.synthetic, record.protocol, record.task, record.variant].append(record)
    parts: dict[tuple[bool, str], list[list[Record]]] = defaultdict(list)
    for (synthetic, protocol, _, _), group in sorted(groups.items()):
        parts[synthetic, protocol].append(group)
    if not parts:
        raise UserError(f"nothing to rank: {'; '.join(unranked) or 'no records'}")
    # Frozen comes first, as in the plan of every task.
    order = sorted(parts, key=lambda part: (part[0], part[1] != "frozen", part[1]))
    return [_board(part, parts[part], metric_of, unranked) for part in order]


def _slimmed(records: Iterable[Record], metric_of: MetricOf) -> tuple[list[Record], tuple[str, ...]]:
    """Slim records of encoders on the tasks that can be ranked, and why others are left out."""
    slim: list[Record] = []
    metrics: dict[str, str | None] = {}
    unranked: list[str] = []
    shared: dict[Any, Any] = {}
    references: set[str] = set()
    for record in records:
        if record.is_reference:
            references.add(record.encoder)
            continue
        if record.task not in metrics:
            try:
                metrics[record.task] = metric_of(record.task).name
            except UserError as error:
                metrics[record.task] = None
                unranked.append(str(error))
        metric = metrics[record.task]
        if metric is not None:
            slim.append(_slim(record, metric, shared))
    unranked += [f"{name} has no encoder and is not ranked; `cxrbench table` shows it" for name in sorted(references)]
    return slim, tuple(unranked)


def _slim(record: Record, metric: str, shared: dict[Any, Any]) -> Record:
    """The record with one metric; what many records have alike is kept once in `shared`."""
    seen = record.weights.get("contamination", ())
    weights = (record.encoder, record.weights.get("sha256"), record.unverified, *seen)
    made_by = shared.setdefault((record.task, record.settings_hash), (record.settings, record.dataset))
    return replace(
        record,
        metrics={metric: record.metrics.get(metric)},
        weights=shared.setdefault(weights, record.weights),
        settings=made_by[0],
        dataset=made_by[1],
        notes=[shared.setdefault(note, note) for note in record.notes],
        split={},
        resolved={},
        code={},
        provenance={},
    )


def _board(part: tuple[bool, str], groups: list[list[Record]], metric_of: MetricOf, unranked: tuple[str, ...]) -> Board:
    synthetic, protocol = part
    columns: list[BoardColumn] = []
    cells: dict[tuple[str, int], BoardCell] = {}
    for group in groups:
        one = group[0]
        metric = metric_of(one.task)
        # Refuses mixtures of settings and two trials of one draw.
        (table,) = tables(group, {one.task: metric.name})
        by_place: dict[tuple[str, float], list[Record]] = defaultdict(list)
        for record in group:
            by_place[record.encoder, record.fraction].append(record)
        for fraction in table.fractions:
            having = {name: _defined(by_place[name, fraction], metric.name) for name in table.encoders}
            asked = frozenset().union(*having.values())
            for name in table.encoders:
                if (name, fraction) in table.cells:
                    cells[name, len(columns)] = _cell(table, by_place[name, fraction], asked == having[name])
            columns.append(
                BoardColumn(
                    task=one.task,
                    variant=one.variant,
                    fraction=fraction,
                    metric=metric.name,
                    higher_is_better=metric.higher_is_better,
                    title=metric.title,
                    dataset=str(one.dataset.get("name", "")),
                    settings_hash=one.settings_hash,
                    replicates=len(asked),
                )
            )
    undefined = [f"{each.name}: undefined for every encoder, not ranked" for each in columns if not each.replicates]
    return Board(
        protocol=protocol,
        synthetic=synthetic,
        encoders=tuple(sorted({record.encoder for group in groups for record in group})),
        columns=tuple(columns),
        cells=cells,
        weights=refuse_several_weights(record for group in groups for record in group),
        notes=(*unranked, *undefined),
    )


def _cell(table: Table, records: list[Record], complete: bool) -> BoardCell:
    one = records[0]
    cell = table.cells[one.encoder, one.fraction]
    shared = set(one.notes).intersection(*(record.notes for record in records))
    own = sum(bool(set(record.notes) - shared) for record in records)
    notes = sorted(shared)
    if own:
        notes.append(f"{own} of {len(records)} trials have notes of their own: see record.json")
    return BoardCell(
        cell=cell,
        complete=complete and cell.mean is not None,
        contaminated=one.contaminated,
        notes=tuple(notes),
    )


def _defined(records: list[Record], metric: str) -> frozenset[int]:
    return frozenset(record.replicate for record in records if record.metrics[metric] is not None)
