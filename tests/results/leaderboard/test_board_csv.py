"""The CSV for machines: every encoder in every column, full digits, blanks where there is no number."""

from __future__ import annotations

import csv
import io

from cxrbench.results.leaderboard.board import boards
from cxrbench.results.leaderboard.board_csv import boards_csv
from cxrbench.results.leaderboard.ranking import rank

from .conftest import grid_of, metric_of, trials


def lines(records: list) -> list[dict[str, str]]:
    text = boards_csv([(board, rank(board)) for board in boards(records, metric_of=metric_of)])
    return list(csv.DictReader(io.StringIO(text)))


def test_one_line_an_encoder_and_column_with_all_digits() -> None:
    found = lines([*trials("x", "a", [0.1 + 0.2, 0.5], fraction=1.0), *trials("y", "a", [0.1, 0.2], fraction=1.0)])
    assert [(one["encoder"], one["fraction"], one["rank"]) for one in found] == [("x", "1", "1.0"), ("y", "1", "2.0")]
    assert float(found[0]["mean"]) == (0.1 + 0.2 + 0.5) / 2
    assert (found[0]["replicates"], found[0]["data"], found[0]["settings_hash"]) == ("2", "synthetic", "settings-a")


def test_what_is_missing_is_blank_and_unranked() -> None:
    found = lines(grid_of({"x": [0.5, None], "y": [0.6, 0.7], "z": [0.1, 0.2]}, "ab") + trials("w", "a", [0.9]))
    absent = {(one["encoder"], one["task"]): one for one in found}
    assert len(found) == 8
    undefined, not_run = absent["x", "b"], absent["w", "b"]
    assert (undefined["mean"], undefined["defined"], undefined["replicates"]) == ("", "0", "1")
    assert (not_run["mean"], not_run["replicates"], not_run["contaminated"]) == ("", "0", "")
    assert not_run["left_out"] == ""
    assert {one["encoder"]: one["complete"] for one in found} == {"x": "false", "w": "false", "y": "true", "z": "true"}
    assert absent["x", "a"]["average_rank"] == ""


def test_an_encoder_without_a_rival_is_complete_and_has_no_rank() -> None:
    (one,) = lines(trials("x", "a", [0.5]))
    assert (one["complete"], one["rank"], one["average_rank"]) == ("true", "", "")


def test_names_with_commas_and_quotes_survive() -> None:
    name = 'a, "b"\nc'
    assert {one["encoder"] for one in lines(trials(name, "a", [0.5]))} == {name}
