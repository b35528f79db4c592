"""A store against a baseline: cell by cell a paired interval against a margin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from ...foundation.errors import RefusedError, UserError
from ...foundation.progress import Progress, SilentProgress
from ..record import Record
from .baseline import Baseline, Expectation
from .cell import CheckedCell
from .influence import Scored, scored
from .interval import PairedInterval, paired_interval
from .lined_up import lined_up
from .margin import cell_level
from .pairing import pair
from .record_task import task_of

if TYPE_CHECKING:
    from ..store import Store

_SILENT = SilentProgress()


class Outcome(Enum):
    """What is said of a cell."""

    PASSED = "passed"
    REGRESSION = "regression"
    INCONCLUSIVE = "inconclusive"
    MISSING = "missing"
    UNDEFINED = "undefined"


@dataclass(frozen=True)
class CellVerdict:
    """One cell.

    Attributes:
        baseline, now: mean of the metric over the replicates; None where it was not computed or is undefined.
        interval: of now - baseline, the sign turned where lower is better; None where it was not computed.
        words: a sentence for people.
        patients: of the test set.
    """

    cell: CheckedCell
    expectation: Expectation
    outcome: Outcome
    words: str
    replicates: int
    patients: int
    baseline: float | None = None
    now: float | None = None
    interval: PairedInterval | None = None
    synthetic: bool = False

    def fails(self, allow_inconclusive: bool) -> bool:
        """Whether the check fails by this cell."""
        if self.outcome is Outcome.INCONCLUSIVE:
            return not allow_inconclusive
        return self.outcome is not Outcome.PASSED


@dataclass(frozen=True)
class Report:
    """What `check run` found.

    Attributes:
        level: confidence of each interval, so that all hold together with 95 %.
        notes: what must be read with it.
    """

    verdicts: tuple[CellVerdict, ...]
    level: float
    notes: tuple[str, ...] = ()
    allow_inconclusive: bool = False

    @property
    def failed(self) -> bool:
        """Whether any cell fails."""
        return any(each.fails(self.allow_inconclusive) for each in self.verdicts)

    @property
    def synthetic(self) -> bool:
        """Whether any of it comes of phantoms."""
        return any(each.synthetic for each in self.verdicts)

    def in_words(self) -> str:
        """`3 cells: 2 passed, 1 regression`."""
        counts = [(each, sum(one.outcome is each for one in self.verdicts)) for each in Outcome]
        plural = {Outcome.REGRESSION: "regressions"}
        counted = ", ".join(
            f"{count} {plural.get(each, each.value) if count > 1 else each.value}" for each, count in counts if count
        )
        return f"{len(self.verdicts)} cell{'' if len(self.verdicts) == 1 else 's'}: {counted}"


def check(
    baseline: Baseline,
    store: Store,
    records: Sequence[Record],
    allow_inconclusive: bool = False,
    progress: Progress = _SILENT,
) -> Report:
    """Compare `records` of `store` with `baseline`.

    Raises UserError where nothing can be said: nothing in common, other settings or data, other test sets, or a metric
    that its task no longer gives.
    """
    pairs, unasked = pair([trial.record for trial in baseline.trials], records)
    level = cell_level(len(pairs))
    verdicts = []
    with progress.step("check", len(pairs)) as step:
        for cell, of_cell in pairs.items():
            verdicts.append(_of_cell(baseline, store, cell, of_cell, level, progress))
            step.advance(1, str(cell))
    notes = (f"{unasked} trials of the store are not in the baseline and were not looked at",) if unasked else ()
    return Report(tuple(verdicts), level, notes, allow_inconclusive)


def judge(interval: PairedInterval, margin: float) -> tuple[Outcome, str]:
    """Outcome and words for an interval of new - baseline (higher is better) and a margin of 0 or more.

    Passed: the lower end is above -margin, or nothing differs at all. A loss that is certain but smaller than the
    margin passes too, with a remark. Regression: else, where the upper end is below 0. Inconclusive: neither.
    """
    nothing = interval.difference == interval.low == interval.high == 0
    if interval.low > -margin or nothing:
        if interval.high < 0:
            return Outcome.PASSED, "passed, but lower than the baseline: the loss is certain and inside the margin"
        return Outcome.PASSED, "passed"
    if interval.high < 0:
        return Outcome.REGRESSION, "regression: the whole interval is below zero and reaches the margin"
    return Outcome.INCONCLUSIVE, "inconclusive: the interval holds zero and reaches the margin"


def _of_cell(
    baseline: Baseline,
    store: Store,
    cell: CheckedCell,
    pairs: list[tuple[Record, Record | None]],
    level: float,
    progress: Progress,
) -> CellVerdict:
    expected, trials = baseline.expectations[cell], baseline.of_cell(cell)
    unknown = CellVerdict(
        cell=cell,
        expectation=expected,
        outcome=Outcome.MISSING,
        words="",
        replicates=len(pairs),
        patients=int(trials[0].predictions.table["patient_id"].nunique()),
        baseline=_mean([trial.record.metrics.get(expected.metric) for trial in trials]),
        synthetic=any(each.synthetic for both in pairs for each in both if each is not None),
    )
    missing = [str(old.replicate) for old, new in pairs if new is None]
    if missing:
        return replace(unknown, words=f"missing: the store lacks replicate {', '.join(missing)}")
    try:
        new = [store.predictions(record) for _, record in pairs if record is not None]
    except RefusedError as error:
        raise UserError(str(error)) from error
    try:
        both = lined_up([*(trial.predictions for trial in trials), *new])
    except RefusedError as error:
        raise UserError(f"{cell}: baseline and store cannot be compared: {error}") from error
    task = task_of(pairs[0][0])
    if expected.metric not in task.score(both[0]):
        raise UserError(
            f"{cell}: the baseline holds it to {expected.metric}, which {cell.task} no longer gives; save a new one "
            "with `cxrbench check save`"
        )
    before = scored(task, expected.metric, both[: len(trials)], progress)
    after = scored(task, expected.metric, both[len(trials) :], progress)
    known = replace(unknown, baseline=_mean(before.values), now=_mean(after.values))
    undefined = _undefined(expected.metric, before, after)
    if undefined:
        return replace(known, outcome=Outcome.UNDEFINED, words=undefined)
    interval = paired_interval(before, after, expected.higher_is_better, level)
    outcome, words = judge(interval, expected.margin)
    return replace(known, outcome=outcome, words=words, interval=interval)


def _mean(values: Iterable[float | None]) -> float | None:
    """Mean over replicates; None where one has no value."""
    found = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return None if np.isnan(found).any() else float(found.mean())


def _undefined(metric: str, before: Scored, after: Scored) -> str:
    """Why two values cannot be compared: one is undefined, or a mean is over other labels. Empty where they can."""
    if np.isnan(before.values).any() or np.isnan(after.values).any():
        return f"undefined: {metric} has no value {'now' if np.isnan(after.values).any() else 'in the baseline'}"
    kind = metric.split("/")[0].split("_")[0]
    changed = {
        name
        for one, other in zip(before.defined, after.defined, strict=True)
        for name in one ^ other
        if name.startswith(f"{kind}/")
    }
    if changed:
        names = ", ".join(sorted(name.partition("/")[2] for name in changed))
        return f"undefined: {metric} is a mean over other labels now ({names})"
    return ""
