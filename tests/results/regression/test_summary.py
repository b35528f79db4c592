"""The Markdown summary."""

from __future__ import annotations

from cxrbench.results.regression import markdown

from .reports import report


def test_one_row_a_cell_with_as_many_columns_as_the_heading() -> None:
    lines = [line for line in markdown(report()).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 5
    assert {line.replace("\\|", "").count("|") for line in lines} == {10}
    assert "| -0.1000 \\[-0.1500, -0.0500\\] | 0.02 | 3 | 50 | regression: in words |" in lines[2]


def test_the_answer_comes_first() -> None:
    assert markdown(report()).startswith("## cxrbench check: failed\n\n5 cells: 1 passed, 1 regression,")


def test_names_are_shown_literally() -> None:
    assert "a\\|b\\<c\\>&" in markdown(report())


def test_a_name_of_several_lines_stays_in_its_row() -> None:
    assert markdown(report(encoder="a\r\nb")).count("\n| a b on chexpert") == 5


def test_synthetic_data_is_labelled() -> None:
    assert "SYNTHETIC" in markdown(report())
    assert "(synthetic)" in markdown(report())
    assert "ynthetic" not in markdown(report(synthetic=False))


def test_what_fails_stands_first() -> None:
    rows = [line.rsplit(" | ", 1)[1].split(":")[0] for line in markdown(report()).splitlines() if "in words" in line]
    assert rows == ["regression", "inconclusive", "missing", "undefined", "passed"]
    allowed = markdown(report(allow_inconclusive=True)).splitlines()
    rows = [line.rsplit(" | ", 1)[1].split(":")[0] for line in allowed if "in words" in line]
    assert rows == ["regression", "missing", "undefined", "passed", "inconclusive"]


def test_what_is_missing_shows_the_baseline() -> None:
    (row,) = [line for line in markdown(report()).splitlines() if "missing: in words" in line]
    assert "| 0.8000 | - | - | 0.02 | 3 | 50 |" in row
