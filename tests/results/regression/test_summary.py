"""The Markdown summary."""

from __future__ import annotations

from cxrbench.results.regression import markdown

from .reports import report


def test_one_row_a_cell_with_as_many_columns_as_the_heading() -> None:
    lines = [line for line in markdown(report()).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 5
    assert {line.replace("\\|", "").count("|") for line in lines} == {10}
    assert "| -0.1000 \\[-0.1500, -0.0500\\] | 0.02 | 3 | 50 | regression: in words |" in lines[3]


def test_the_answer_comes_first() -> None:
    assert markdown(report()).startswith("## cxrbench check: failed\n\n5 cells: 1 passed, 1 regression,")


def test_names_are_shown_literally() -> None:
    assert "a\\|b\\<c\\>&" in markdown(report())


def test_synthetic_data_is_labelled() -> None:
    assert "SYNTHETIC" in markdown(report())
    assert "(synthetic)" in markdown(report())
    assert "ynthetic" not in markdown(report(synthetic=False))
