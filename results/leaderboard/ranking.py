"""Ranks over tasks, and how far the data can tell them apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ...stats.midranks import doubled_midranks
from .board import Board

# Below this many tasks the chi-squared form of Friedman's test and Nemenyi's differences mean little (Demšar 2006).
LEAST_TASKS = 5
LEVEL = 0.05


@dataclass(frozen=True)
class Ranking:
    """Who stands where on one board, among the encoders that are complete.

    An encoder that lacks a cell has no rank: a mean over the cells that exist would favour whoever skipped the hard
    ones. Variants and fractions of one task are not independent, so a task counts once: encoders are ranked in each
    column, these ranks are averaged over a task's columns and ranked again inside the task, and the average rank is
    the mean over tasks. Ties share their ranks. 1 is best throughout.

    Attributes:
        encoders: complete ones, best first; equal average ranks in alphabetical order.
        incomplete: the others, with what each lacks.
        tasks: those that count, in the order of the board.
        column_ranks: (encoder, position of the column) -> rank among the complete encoders.
        average: encoder -> average rank over tasks.
        intervals: encoder -> 1 + the number of significantly better ones, and K - the number of significantly worse
            ones; empty where nothing was tested.
        letters: encoder -> letters; two encoders that share one cannot be told apart. Empty where nothing was tested.
        p_value: of Friedman's test over tasks; None where it was not made.
        critical_difference: of average ranks, after Nemenyi; None where it was not made.
        reading: one sentence that says how certain the ranks are, or why nothing was tested and what is needed.
    """

    encoders: tuple[str, ...]
    incomplete: Mapping[str, tuple[str, ...]]
    tasks: tuple[str, ...]
    column_ranks: Mapping[tuple[str, int], float]
    average: Mapping[str, float]
    reading: str
    intervals: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    letters: Mapping[str, str] = field(default_factory=dict)
    p_value: float | None = None
    critical_difference: float | None = None


def rank(board: Board) -> Ranking:
    """Rank the complete encoders of `board`.

    From LEAST_TASKS tasks on, Friedman's test over tasks (never over replicates, which are not independent problems)
    and, where it rejects at 5 %, Nemenyi's all-pairs test give letters and intervals; where it does not, all encoders
    are one group (Demšar 2006, JMLR 7, section 3.2.2).
    """
    missing = {name: board.missing(name) for name in board.encoders}
    complete = [number for number, name in enumerate(board.encoders) if not missing[name]]
    asked = [position for position, column in enumerate(board.columns) if column.replicates]
    names = [board.encoders[number] for number in complete]
    incomplete = {name: lacking for name, lacking in missing.items() if lacking}
    tasks = tuple(dict.fromkeys(board.columns[position].task for position in asked))
    if len(names) < 2:
        reading = "No ranks: fewer than two encoders are complete."
        return Ranking(tuple(names), incomplete, tasks, {}, {}, reading)
    signs = np.array([1 if board.columns[position].higher_is_better else -1 for position in asked])
    in_columns = midranks(-signs * board.values()[np.ix_(complete, asked)])
    task_of = np.array([tasks.index(board.columns[position].task) for position in asked])
    in_tasks = midranks(np.stack([in_columns[:, task_of == each].mean(axis=1) for each in range(len(tasks))], axis=1))
    average = in_tasks.mean(axis=1)
    order = sorted(range(len(names)), key=lambda each: (average[each], names[each]))
    ranked = Ranking(
        encoders=tuple(names[each] for each in order),
        incomplete=incomplete,
        tasks=tasks,
        column_ranks={
            (name, position): float(in_columns[row, place])
            for row, name in enumerate(names)
            for place, position in enumerate(asked)
        },
        average={name: float(value) for name, value in zip(names, average, strict=True)},
        reading="",
    )
    return _tested(ranked, in_tasks[order])


def midranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1 down each column of [K, C], smallest first; equal values share the mean of their ranks."""
    return doubled_midranks(values.T).T / 2


def places(board: Board) -> dict[tuple[str, int], int]:
    """(encoder, position of the column) -> 1 for the best and 2 for the second of the column, others absent.

    Complete cells count, whether or not the encoder has a rank. Two that share the first place leave no second.
    """
    found: dict[tuple[str, int], int] = {}
    signs = np.array([1 if column.higher_is_better else -1 for column in board.columns])
    values = signs * board.values()
    for position, column in enumerate(values.T):
        if np.isfinite(column).sum() < 2:
            continue
        for row, value in enumerate(column):
            place = 1 + int((column > value).sum())
            if np.isfinite(value) and place <= 2:
                found[board.encoders[row], position] = place
    return found


def _tested(ranked: Ranking, in_tasks: np.ndarray) -> Ranking:
    """`ranked` with letters and intervals where there are tasks enough; rows of `in_tasks` [K, T] are in its order."""
    count, tasks = in_tasks.shape
    if tasks < LEAST_TASKS:
        counted = "one task" if tasks == 1 else f"{tasks} tasks"
        return replace(
            ranked,
            reading=f"Ranks only, not tested: {counted}; rank intervals and letters need {LEAST_TASKS} tasks that "
            "every ranked encoder has completed (Friedman and Nemenyi over tasks).",
        )
    if count < 3:
        return replace(
            ranked,
            reading="Ranks only, not tested: Friedman and Nemenyi need three complete encoders; for two, "
            "`cxrbench compare` tests them task by task.",
        )
    from ...stats.letter_groups import letters
    from ...stats.rank_tests import friedman_test, nemenyi

    friedman, pairs = friedman_test(in_tasks.T), nemenyi(in_tasks.T, LEVEL)
    p = float(friedman.p_value)
    rejected = p < LEVEL
    different = rejected & np.asarray(pairs.different)
    better = np.triu(different).sum(axis=0), np.tril(different).sum(axis=0)
    intervals = {
        name: (1 + int(better[0][row]), count - int(better[1][row])) for row, name in enumerate(ranked.encoders)
    }
    tested = f"Friedman over {tasks} tasks: p {_p(p)}"
    difference = float(pairs.critical_difference)
    reading = (
        f"{tested}. Average ranks that differ by {difference:.2f} or more differ significantly (Nemenyi, 5 %)."
        if rejected
        else f"{tested}: the data cannot tell these encoders apart, so all share one letter."
    )
    groups = letters(different)
    return replace(
        ranked,
        intervals=intervals,
        letters=dict(zip(ranked.encoders, groups, strict=True)),
        p_value=p,
        critical_difference=difference,
        reading=reading,
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"
