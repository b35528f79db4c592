from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from cxrbench.results.pointing_numbers import ALL, MEAN, Cases, PointingRow, as_csv, pointing_rows

LABELS = np.array(["Mass"] * 4 + ["Nodule"] * 2)
CASES = Cases(
    labels=LABELS,
    patients=np.array(list("abcdef")),
    boxes=np.array([1, 2, 1, 1, 1, 1]),
    chance=np.array([0.2, 0.4, 0.2, 0.4, 0.1, 0.1]),
    centre=np.array([True, False, False, False, False, True]),
)
HITS = np.array([[1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 1, 1], [0, 0, 0, 0, 0, 0]], dtype=bool)


@pytest.fixture
def rows() -> list[PointingRow]:
    return pointing_rows(["one", "two", "three"], HITS, HITS | np.eye(3, 6, dtype=bool), CASES)


def row(rows: list[PointingRow], encoder: str, label: str) -> PointingRow:
    (found,) = (each for each in rows if (each.encoder, each.label) == (encoder, label))
    return found


def test_an_encoder_has_a_row_a_label_one_of_all_and_one_of_the_mean(rows: list[PointingRow]) -> None:
    assert [(each.encoder, each.label) for each in rows[:5]] == [
        ("one", "Mass"),
        ("one", "Nodule"),
        ("one", ALL),
        ("one", MEAN),
        ("two", "Mass"),
    ]
    assert len(rows) == 12


def test_shares_and_chance_are_those_of_the_cases_or_of_the_labels(rows: list[PointingRow]) -> None:
    mass, everything, mean = (row(rows, "one", label) for label in ("Mass", ALL, MEAN))
    assert (mass.boxes, mass.cases, mass.hits, mass.share, mass.for_label) == (5, 4, 3, 0.75, 3)
    assert (everything.boxes, everything.cases, everything.share) == (7, 6, 0.5)
    assert mean.share == pytest.approx((0.75 + 0) / 2)
    assert everything.chance == pytest.approx(1.4 / 6)
    assert mean.chance == pytest.approx((0.3 + 0.1) / 2)
    assert (everything.centre, mean.centre) == (pytest.approx(2 / 6), pytest.approx((0.25 + 0.5) / 2))


def test_others_are_tested_against_the_first(rows: list[PointingRow]) -> None:
    assert [each.p_value for each in rows if each.encoder == "one"] == [None] * 4
    two = row(rows, "two", ALL)
    # Alone right: one on the third, two on the last two; exact McNemar of 1 against 2.
    assert (two.difference, two.p_value, two.test) == (pytest.approx(1 / 6), 1.0, "McNemar")
    three = row(rows, "three", ALL)
    # Three against none: 2 / 2^3. Holm doubles it.
    assert (three.p_value, three.p_holm) == (0.25, 0.5)
    assert row(rows, "two", MEAN).test == "permutation"
    assert row(rows, "two", MEAN).difference == pytest.approx((0.5 - 0.75 + 1 - 0) / 2)


def test_every_line_of_the_csv_says_what_it_is_of(rows: list[PointingRow]) -> None:
    lines = list(csv.DictReader(io.StringIO(as_csv(rows, {"task": "nih14", "synthetic": True}))))
    assert len(lines) == 12
    assert {line["task"] for line in lines} == {"nih14"}
    assert lines[0]["p_value"] == ""
    assert float(lines[0]["share"]) == 0.75
    assert list(lines[0])[:4] == ["task", "synthetic", "encoder", "label"]
