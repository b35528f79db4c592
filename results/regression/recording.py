"""A baseline made of a store: its margins, and what a check with them would find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...foundation.errors import RefusedError, UserError
from ...foundation.progress import Progress, SilentProgress
from ..record import Record
from ..table import refuse_mixture, refuse_several_weights
from .baseline import Baseline, Expectation, Trial
from .cell import CheckedCell, by_cell
from .chance import chance_of
from .influence import Scored, scored
from .lined_up import lined_up
from .margin import Power, noise_of, power_of, propose_margin
from .record_task import task_of

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
        chance: what an encoder that knows nothing reaches; None where that is not known of the metric.
    """

    cell: CheckedCell
    expectation: Expectation
    value: float
    patients: int
    replicates: int
    power: Power
    chance: float | None

    @property
    def reaches_chance(self) -> bool:
        """Whether the margin allows a loss of all that is above chance."""
        return self.chance is not None and self.value - self.expectation.margin <= self.chance


@dataclass(frozen=True)
class Recording:
    """A baseline, what it would find, and sentences about what was left out."""

    baseline: Baseline
    cells: tuple[RecordedCell, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Measured:
    cell: CheckedCell
    trials: list[Trial]
    scored: Scored
    metric: str
    higher_is_better: bool
    chance: float | None


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
    # Before the weights: two trials of one replicate are of two settings more often than of two weights.
    for found in cells.values():
        refuse_mixture(found)
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
    store: Store, cell: CheckedCell, records: list[Record], notes: list[str], progress: Progress
) -> _Measured | None:
    task = task_of(records[0])
    metric = task.meta.main_metric
    stored = [store.predictions(record) for record in records]
    try:
        predictions = lined_up(stored)
    except RefusedError as error:
        raise RefusedError(f"{cell}: its replicates cannot be taken together: {error}") from error
    all_scored = scored(task, metric, predictions, progress)
    known = ~np.isnan(all_scored.values)
    if not known.all():
        notes.append(f"{cell}: {metric} is undefined in {(~known).sum()} of {len(known)} replicates, left out")
    if not known.any():
        return None
    kept = [Trial(*pair) for pair, there in zip(zip(records, predictions, strict=True), known, strict=True) if there]
    better = task.meta.higher_is_better(metric)
    return _Measured(cell, kept, all_scored.of(known), metric, better, chance_of(metric, predictions[0]))


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
        chance=measured.chance,
    )
