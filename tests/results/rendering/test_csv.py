"""CSV: one line a cell, every number as it is."""

from __future__ import annotations

import csv
import io

from cxrbench.results.rendering import render

from .grids import small


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_every_cell_has_a_line_with_full_precision() -> None:
    found = lines(render([small()], "csv"))
    assert len(found) == 6
    assert found[0] == {
        "table": "ifa-7",
        "row_group": "radiographs",
        "row": "CheSS",
        "encoder": "chess",
        "column_group": "mean AUC",
        "column": "1 %",
        "task": "chexpert",
        "variant": "default",
        "protocol": "frozen",
        "fraction": "1",
        "metric": "auc",
        "settings": "aaaaaaaa",
        "value": "0.81234",
        "sd": "0.0123",
        "count": "",
        "best": "1",
        "second": "0",
        "marks": "‡",
        "published": "0",
        "source": "",
        "synthetic": "1",
        "text": "",
    }


def test_published_lines_are_marked_with_their_source_and_never_synthetic() -> None:
    printed = lines(render([small()], "csv"))[2]
    assert (printed["published"], printed["source"], printed["synthetic"]) == ("1", "A paper, Table 1", "0")
    assert (printed["value"], printed["marks"]) == ("0.79", "§")


def test_undefined_cells_have_no_number() -> None:
    undefined = lines(render([small()], "csv"))[4]
    assert (undefined["value"], undefined["sd"], undefined["text"], undefined["count"]) == ("", "", "undefined", "0/10")


def test_several_tables_share_one_heading() -> None:
    assert len(lines(render([small(), small()], "csv"))) == 12
