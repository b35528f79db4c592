"""Ranks by hand and by scipy; letters and intervals from five tasks on; no rank for the incomplete."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from cxrbench.results.leaderboard.board import boards
from cxrbench.results.leaderboard.ranking import Ranking, midranks, places, rank

from .conftest import grid_of, metric_of, trials

BEST_TO_WORST = {"first": 0.9, "second": 0.8, "third": 0.7, "fourth": 0.6}


def ranking_of(values: dict[str, list[float | None]], tasks: str) -> Ranking:
    (board,) = boards(grid_of(values, tasks), metric_of=metric_of)
    return rank(board)


@settings(max_examples=50, deadline=None)
@given(arrays(np.float64, (6, 3), elements=st.sampled_from([0.1, 0.2, 0.3, 0.4])))
def test_midranks_are_those_of_scipy(values: np.ndarray) -> None:
    assert midranks(values).tolist() == stats.rankdata(values, axis=0).tolist()


def test_ties_share_their_ranks_and_lower_is_better_where_the_task_says_so() -> None:
    records = [
        *grid_of({"x": [0.9], "y": [0.9], "z": [0.5]}, "a"),
        *[one for name, value in (("x", 3.0), ("y", 2.0), ("z", 1.0)) for one in trials(name, "loss", [value])],
    ]
    (board,) = boards(records, metric_of=metric_of)
    found = rank(board)
    assert [found.column_ranks[name, 0] for name in "xyz"] == [1.5, 1.5, 3.0]
    assert [found.column_ranks[name, 1] for name in "xyz"] == [3.0, 2.0, 1.0]
    assert found.average == {"x": 2.25, "y": 1.75, "z": 2.0}
    assert found.encoders == ("y", "z", "x")


def test_a_task_counts_once_however_many_columns_it_has() -> None:
    # x wins three fractions of one task, y the single column of another: neither is ahead.
    records = [one for f in (1.0, 10.0, 100.0) for one in trials("x", "a", [0.9], fraction=f)]
    records += [one for f in (1.0, 10.0, 100.0) for one in trials("y", "a", [0.8], fraction=f)]
    records += grid_of({"x": [0.1], "y": [0.2]}, "b")
    (board,) = boards(records, metric_of=metric_of)
    assert rank(board).average == {"x": 1.5, "y": 1.5}


def test_an_incomplete_encoder_has_no_rank_and_moves_no_other() -> None:
    found = ranking_of({"x": [0.5, 0.5], "y": [0.4, 0.6], "gap": [0.9, None]}, "ab")
    assert found.average == {"x": 1.5, "y": 1.5}
    assert found.incomplete == {"gap": ("b 100 % (undefined)",)}
    assert ("gap", 0) not in found.column_ranks


def test_one_complete_encoder_is_not_ranked() -> None:
    found = ranking_of({"x": [0.5, 0.5], "gap": [0.9, None]}, "ab")
    assert (found.average, found.encoders, found.reading) == (
        {},
        ("x",),
        "No ranks: fewer than two encoders are complete.",
    )


def test_fewer_than_five_tasks_are_ranked_and_not_tested() -> None:
    found = ranking_of({name: [value] * 4 for name, value in BEST_TO_WORST.items()}, "abcd")
    assert found.average == {"first": 1, "second": 2, "third": 3, "fourth": 4}
    assert (found.letters, found.intervals, found.p_value) == ({}, {}, None)
    assert "4 tasks" in found.reading
    assert "need 5 tasks" in found.reading


def test_replicates_are_no_tasks() -> None:
    records = [one for name, value in BEST_TO_WORST.items() for one in trials(name, "a", [value] * 20)]
    (board,) = boards(records, metric_of=metric_of)
    assert rank(board).letters == {}


def test_letters_and_intervals_from_five_tasks_on() -> None:
    # Six tasks, one order: average ranks 1, 2, 3, 4. Demsar's table: q(0.05, 4) = 2.569, so that the critical
    # difference is 2.569 sqrt(4 * 5 / (6 * 6)) = 1.915: neighbours share a letter, others do not.
    found = ranking_of({name: [value] * 6 for name, value in BEST_TO_WORST.items()}, "abcdef")
    assert found.critical_difference == pytest.approx(1.915, abs=1e-3)
    assert found.p_value == pytest.approx(stats.friedmanchisquare(*np.tile([4, 3, 2, 1], (6, 1)).T).pvalue)
    assert found.letters == {"first": "a", "second": "ab", "third": "bc", "fourth": "c"}
    assert found.intervals == {"first": (1, 2), "second": (1, 3), "third": (2, 4), "fourth": (3, 4)}
    assert "Friedman over 6 tasks: p < 0.001" in found.reading


def test_encoders_that_the_tasks_cannot_tell_apart_share_one_letter() -> None:
    rows = np.array([[1, 2, 3], [2, 3, 1], [3, 1, 2], [1, 3, 2], [2, 1, 3], [3, 2, 1]]) / 10
    found = ranking_of({name: list(rows[:, place]) for place, name in enumerate("xyz")}, "abcdef")
    assert set(found.letters.values()) == {"a"}
    assert set(found.intervals.values()) == {(1, 3)}
    assert "cannot tell these encoders apart" in found.reading


def test_two_encoders_are_sent_to_compare() -> None:
    found = ranking_of({"x": [0.9] * 6, "y": [0.8] * 6}, "abcdef")
    assert found.letters == {}
    assert "cxrbench compare" in found.reading


def test_equal_encoders_in_all_tasks_share_everything() -> None:
    found = ranking_of({name: [0.5] * 5 for name in "xyz"}, "abcde")
    assert set(found.average.values()) == {2.0}
    assert set(found.letters.values()) == {"a"}


def test_a_column_undefined_for_everyone_takes_no_part() -> None:
    found = ranking_of({"x": [0.5, None], "y": [0.4, None]}, "ab")
    assert (found.tasks, found.average) == (("a",), {"x": 1.0, "y": 2.0})


def test_best_and_second_of_a_column() -> None:
    (board,) = boards(grid_of({"x": [0.9], "y": [0.8], "z": [0.7]}, "a"), metric_of=metric_of)
    assert places(board) == {("x", 0): 1, ("y", 0): 2}
    (board,) = boards(grid_of({"x": [0.9], "y": [0.9], "z": [0.7]}, "a"), metric_of=metric_of)
    assert places(board) == {("x", 0): 1, ("y", 0): 1}
    (board,) = boards(grid_of({"x": [0.9], "y": [None]}, "a"), metric_of=metric_of)
    assert places(board) == {}
