"""A board as a Grid: marks, labels of synthetic and contaminated data, and notes that explain absent ranks."""

from __future__ import annotations

import pytest

from cxrbench.results.grid import Grid
from cxrbench.results.leaderboard.board import boards
from cxrbench.results.leaderboard.board_grid import board_grids
from cxrbench.results.leaderboard.ranking import rank
from cxrbench.results.record import Record
from cxrbench.results.rendering import render

from .conftest import grid_of, metric_of, trials


def grids_of(records: list[Record], most_columns: int | None = None) -> list[Grid]:
    (board,) = boards(records, metric_of=metric_of)
    return board_grids(board, rank(board), most_columns)


def test_best_encoders_first_and_incomplete_ones_last_with_the_reason() -> None:
    (grid,) = grids_of(grid_of({"low": [0.5, 0.5], "high": [0.6, 0.6], "gap": [0.9, None]}, "ab"))
    assert [row.label for row in grid.rows] == ["high", "low", "gap"]
    high, low, gap = (row.entries for row in grid.rows)
    assert (high[0].value, low[0].value, gap[0].text) == (1.0, 2.0, "incomplete")
    assert (gap[1].best, high[1].second, gap[2].text, high[2].best) == (True, True, "undefined", True)
    assert "gap has no rank; it lacks b 100 % (undefined)." in grid.notes


def test_a_cell_with_fewer_replicates_than_others_shows_how_many() -> None:
    (grid,) = grids_of(trials("x", "a", [0.5, 0.6, 0.7]) + trials("y", "a", [0.5, 0.6]))
    cells = {row.label: row.entries[-1].count for row in grid.rows}
    assert (cells, grid.columns[-1].title) == ({"x": "", "y": "2/3"}, "100 % (n=3)")


def test_letters_and_intervals_have_columns_only_where_there_are_any() -> None:
    six = grid_of({name: [value] * 6 for name, value in zip("xyz", (0.9, 0.8, 0.7), strict=True)}, "abcdef")
    (grid,) = grids_of(six)
    assert [column.title for column in grid.columns[:3]] == ["Average rank", "Rank interval", "Group"]
    assert [entry.text for entry in grid.rows[0].entries[1:3]] == ["1 to 2", "a"]
    (grid,) = grids_of([one for one in six if one.task in "abcd"])
    assert [column.title for column in grid.columns[:2]] == ["Average rank", "100 % (n=1)"]


@pytest.mark.parametrize("form", ["text", "markdown", "latex"])
def test_synthetic_and_contaminated_numbers_are_labelled_in_every_form(form: str) -> None:
    weights = {"sha256": "ab", "contamination": ["a_data"]}
    records = trials("x", "a", [0.5], weights=weights) + trials("y", "a", [0.4])
    shown = render(grids_of(records), form)
    assert "SYNTHETIC" in shown
    assert ("ddagger" if form == "latex" else "‡") in shown
    assert "Contaminated: x saw images of" in shown
    real = grids_of(trials("x", "a", [0.5], synthetic=False) + trials("y", "a", [0.4], synthetic=False))
    assert "SYNTHETIC" not in render(real, form)


@pytest.mark.parametrize("form", ["text", "markdown", "latex"])
def test_unverified_weights_are_labelled_in_every_form(form: str) -> None:
    records = trials("x", "a", [0.5], weights={"sha256": "ab", "unverified": True}) + trials("y", "a", [0.4])
    (grid,) = grids_of(records)
    assert [row.entries[-1].unverified for row in grid.rows] == [True, False]
    shown = render([grid], form)
    assert ("parallel" if form == "latex" else "‖") in shown
    assert "Unverified weights: the file of x is not the published one." in shown


@pytest.mark.parametrize("form", ["text", "markdown", "latex"])
def test_numbers_of_datasets_with_images_left_out_are_labelled_in_every_form(form: str) -> None:
    without = {"name": "a_data", "left_out": 12}
    records = (
        trials("x", "a", [0.5], dataset=without) + trials("y", "a", [0.4], dataset=without) + trials("x", "b", [1])
    )
    (grid,) = grids_of(records)
    assert [entry.left_out for entry in grid.rows[0].entries[-2:]] == [12, 0]
    shown = render([grid], form)
    assert shown.count(r"\rlap{$^{\P}$}" if form == "latex" else "¶") == (2 if form == "latex" else 3)
    assert "12 images left out (-{}-skip-unreadable)" in shown or "12 images left out (--skip-unreadable)" in shown


def test_a_wide_board_is_cut_between_tasks() -> None:
    records = grid_of({"x": [0.5] * 5, "y": [0.4] * 5}, "abcde")
    records += [one for name in "xy" for one in trials(name, "b", [0.5], fraction=10.0)]
    found = grids_of(records, 3)
    assert [[column.group for column in grid.columns] for grid in found] == [
        ["", "a: auc", "b: auc", "b: auc"],
        ["c: auc", "d: auc", "e: auc"],
    ]
    assert [grid.title[-8:] for grid in found] == ["(1 of 2)", "(2 of 2)"]
    assert len(found[0].notes) > 1 > len(found[1].notes)


def test_metrics_where_lower_is_better_are_named() -> None:
    records = trials("x", "loss", [0.5]) + trials("y", "loss", [0.4])
    (grid,) = grids_of(records)
    assert "Lower is better: loss." in grid.notes
    assert [row.label for row in grid.rows] == ["y", "x"]
