"""A baseline made of a store: its margins, and what a check with them would find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...foundation.errors import RefusedError, UserError
from ...foundation.progress import Progress, SilentProgress
from ..record import Record
from ..table import refuse_several_weights
from .baseline import Baseline, Expectation, Trial
from .cell import Cell, by_cell
from .influence import Scored
from .margin import Power, noise_of, power_of, propose_margin
from .scored_cell import lined_up, scored_cell, task_of

if TYPE_CHECKING:
    from ..store import Store

_SILENT = SilentProgress()


@dataclass(frozen=True)
class RecordedCell:
    """One cell of a new baseline.

    Attributes:
        value: mean of the metric over replicates.
        patients: of its test set.
        replicates: trials.
    """

    cell: Cell
    expectation: Expectation
    value: float
    patients: int
    replicates: int
    power: Power


@dataclass(frozen=True)
class Recording:
    """A baseline, what it would find, and sentences about what was left out."""

    baseline: Baseline
    cells: tuple[RecordedCell, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Measured:
    cell: Cell
    trials: list[Trial]
    scored: Scored
    metric: str
    higher_is_better: bool


def record_baseline(
    store: Store, records: Sequence[Record], margin: float | None = None, progress: Progress = _SILENT
) -> Recording:
    """A baseline of all `records` of `store`, by the main metric of their tasks.

    Args:
        margin: for every cell, in the metric's units; None proposes one a cell.
        progress: told cell by cell.

    Raises:
        UserError: no record, or none with a value of its task's main metric.
        RefusedError: one cell with several settings, weights or test sets.
    """
    measured, notes = [], []
    cells = by_cell(records)
    refuse_several_weights(records)
    with progress.step("baseline", len(cells)) as step:
        for cell, found in cells.items():
            one = _measured(store, cell, found, notes, progress)
            measured += [one] if one is not None else []
            step.advance(1, str(cell))
    if not measured:
        raise UserError("--store: no trial has a value of its task's main metric; nothing to hold a check to")
    recorded = [_recorded(each, margin, len(measured)) for each in measured]
    baseline = Baseline(
        trials=tuple(trial for each in measured for trial in each.trials),
        expectations={each.cell: each.expectation for each in recorded},
    )
    return Recording(baseline, tuple(recorded), tuple(notes))


def _measured(
    store: Store, cell: Cell, records: list[Record], notes: list[str], progress: Progress
) -> _Measured | None:
    hashes = sorted({record.settings_hash for record in records})
    if len(hashes) > 1:
        raise RefusedError(
            f"{cell}: its replicates were made under {len(hashes)} settings ({', '.join(hashes)}); choose one "
            "with --settings HASH"
        )
    task = task_of(records[0])
    metric = task.meta.main_metric
    try:
        predictions = lined_up([store.predictions(record) for record in records])
    except RefusedError as error:
        raise RefusedError(f"{cell}: its replicates cannot be taken together: {error}") from error
    scored = scored_cell(task, metric, predictions, progress)
    known = ~np.isnan(scored.values)
    if not known.all():
        notes.append(f"{cell}: {metric} is undefined in {(~known).sum()} of {len(known)} replicates, left out")
    if not known.any():
        return None
    kept = [Trial(*pair) for pair, there in zip(zip(records, predictions, strict=True), known, strict=True) if there]
    return _Measured(cell, kept, scored.of(known), metric, task.meta.metrics.get(metric.split("/")[0], True))


def _recorded(measured: _Measured, margin: float | None, cells: int) -> RecordedCell:
    noise = noise_of(measured.scored)
    chosen = propose_margin(noise, cells) if margin is None else margin
    return RecordedCell(
        cell=measured.cell,
        expectation=Expectation(measured.metric, measured.higher_is_better, chosen, proposed=margin is None),
        value=float(measured.scored.values.mean()),
        patients=measured.scored.patients,
        replicates=len(measured.trials),
        power=power_of(noise, chosen, cells),
    )
