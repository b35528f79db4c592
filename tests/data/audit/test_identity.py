"""Images and patients known by their ids, within a side and between two."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrbench.data.audit import Side
from cxrbench.data.audit.identity import across, grouped, joined, same_image_ids, same_patients
from cxrbench.data.audit.sides import COLUMNS


def _side(dataset: str = "", **columns: list[str]) -> Side:
    count = len(next(iter(columns.values())))
    table = {name: columns.get(name, [""] * count) for name in COLUMNS}
    return Side("a side", dataset, Path(), pd.DataFrame(table).astype("str"))


def _pairs(groups: np.ndarray) -> list[list[int]]:
    return [np.flatnonzero(groups == group).tolist() for group in np.unique(groups[groups >= 0])]


def test_groups_are_joined_over_both_relations() -> None:
    one = grouped(pd.Series(["x", "x", "", "y", "y", "z", ""]))
    assert one.tolist() == [0, 0, -1, 2, 2, -1, -1]
    other = grouped(pd.Series(["", "p", "", "p", "", "", ""]))
    assert _pairs(joined(one, other)) == [[0, 1, 3, 4]]
    assert across(one, np.array([True, True, True, True, False, False, False])).tolist() == [-1, -1, -1, 2, 2, -1, -1]


def test_equal_ids_and_equal_nih_origins_are_one_image() -> None:
    rsna = _side("rsna_pneumonia", image_id=["aaaa-1111", "bbbb-2222"], nih_id=["00000001_000", "00000002_000"])
    nih = _side("nih14", image_id=["00000002_000", "00000003_000"], nih_id=["00000002_000", "00000003_000"])
    assert _pairs(same_image_ids(rsna, nih)) == [[1, 2]]


def test_names_that_several_images_have_tell_nothing() -> None:
    a = _side(image_id=["0001", "0001", "0002"])
    b = _side(image_id=["0001", "0002"])
    assert _pairs(same_image_ids(a, b)) == [[2, 4]]


@pytest.mark.parametrize(("dataset", "expected"), [("six_class", []), ("", [[0, 1]])])
def test_short_names_of_two_datasets_are_alike_by_chance(dataset: str, expected: list[list[int]]) -> None:
    assert _pairs(same_image_ids(_side("node21", image_id=["n0001"]), _side(dataset, image_id=["n0001"]))) == expected


def test_patients_of_two_datasets_are_compared_as_patients_of_nih_only() -> None:
    a = _side("rsna_pneumonia", patient_id=["1", "x"], nih_patient=["", "00000007"])
    b = _side("six_class", patient_id=["1", "x"])
    assert _pairs(same_patients(a, b)) == []
    c = _side("nih14", patient_id=["1"], nih_patient=["00000007"])
    assert _pairs(same_patients(a, c)) == [[1, 2]]
    listed = _side("", patient_id=["1"])
    assert _pairs(same_patients(a, listed)) == [[0, 2]]


def test_within_a_side_only_the_origin_makes_two_entries_one_image() -> None:
    rsna = _side("rsna_pneumonia", image_id=["a", "b", "c"], nih_id=["00000001_000", "", "00000001_000"])
    assert _pairs(same_image_ids(rsna, None)) == [[0, 2]]
