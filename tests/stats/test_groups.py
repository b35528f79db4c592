from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cxrbench.stats.delong import delong_test
from cxrbench.stats.groups import group_codes
from cxrbench.stats.mcnemar import clustered_mcnemar_test
from cxrbench.stats.resampling import Units


@pytest.mark.parametrize(
    "groups",
    [
        ["a", "b", "a", "c"],
        [3, 70, 3, 2**70],
        [0.5, 1, 0.5, np.int64(9)],
        np.array([1, 2, 1, 5], dtype=np.uint8),
        np.array(["a", "b", "a", "c"], dtype=object),
        np.array(["2020", "2021", "2020", "2023"], dtype="M8[Y]"),
        pd.Series(["a", "b", "a", "c"], index=[4, 4, 2, 1]),
        pd.Series([1, 2, 1, 4], dtype="Int64"),
        pd.Series(["a", "b", "a", "c"], dtype="category"),
        pd.Categorical(["b", "c", "b", "z"]),
    ],
)
def test_what_names_patients_is_numbered(groups: object) -> None:
    assert group_codes(groups, 4).tolist() == [0, 1, 0, 2]  # type: ignore[arg-type]


def test_booleans_are_two_groups() -> None:
    for groups in ([True, False, True], np.array([True, False, True]), pd.array([True, False, True])):
        assert group_codes(groups, 3).tolist() == [1, 0, 1]  # type: ignore[arg-type]


MISSING = [
    ["a", np.nan, "b", "b"],
    ["a", None, "b", "b"],
    [1.0, np.nan, 2, 2],
    [1, None, 2, 2],
    np.array([1.0, np.nan, 2, 2]),
    np.array([1.0, np.nan, 2, 2], dtype=object),
    np.array(["2020", "NaT", "2021", "2021"], dtype="M8[Y]"),
    [pd.Timestamp("2020"), pd.NaT, pd.Timestamp("2021"), pd.Timestamp("2021")],
    pd.array(["a", pd.NA, "b", "b"]),
    pd.Series(["a", None, "b", "b"]),
    pd.Series([1, None, 2, 2], dtype="Int64"),
    pd.Series([True, None, False, False], dtype="boolean"),
    pd.Series(["a", None, "b", "b"], dtype="category"),
    np.ma.array([1, 2, 3, 3], mask=[False, True, False, False]),
]


@pytest.mark.parametrize("groups", MISSING)
def test_a_missing_patient_is_refused_everywhere(groups: np.ndarray) -> None:
    words = "1 groups are missing"
    with pytest.raises(ValueError, match=words):
        group_codes(groups, 4)
    with pytest.raises(ValueError, match=words):
        delong_test(np.array([0, 1, 0, 1]), np.arange(4), np.arange(4), groups)
    with pytest.raises(ValueError, match=words):
        clustered_mcnemar_test(np.array([1, 0, 1, 1]), np.array([0, 0, 1, 0]), groups)
    with pytest.raises(ValueError, match=words):
        Units(4, groups)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (["1", 1, 2], "mixture"),
        ([1, 2], "one for each of the 3"),
        ([[1, 2, 3]], "one for each of the 3"),
        ("abc", "one for each of the 3"),
        ([1j, 2j, 2 - 1j], "no order"),
    ],
)
def test_what_names_no_patients_is_refused(groups: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        group_codes(groups, 3)
