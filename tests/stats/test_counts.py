from __future__ import annotations

import numpy as np
import pytest

from cxrbench.stats.counts import square_counts


def test_whole_numbers_of_any_kind_are_counts() -> None:
    for table in ([[1, 0], [2, 3]], np.array([[1.0, 0.0], [2.0, 3.0]]), np.array([[1, 0], [2, 3]], dtype=np.uint8)):
        assert square_counts(np.asarray(table)).tolist() == [[1, 0], [2, 3]]
    assert square_counts(np.zeros((4, 0, 2, 2))).shape == (4, 0, 2, 2)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ([1, 2], "square"),
        (3, "square"),
        ([[1, 2, 3], [4, 5, 6]], "square"),
        (np.zeros((0, 0)), "no categories"),
        ([[1, -2], [0, 1]], "negative: -2"),
        ([[1, np.nan], [0, 1]], "1 counts are NaN"),
        ([[1, 0.5], [0, 1]], "whole"),
        ([[1, np.inf], [0, 1]], "whole"),
        ([["a", "b"], ["c", "d"]], "whole"),
        ([[1j, 0], [0, 1]], "whole"),
    ],
)
def test_what_is_no_table_of_counts_is_an_error_that_says_why(table: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        square_counts(np.asarray(table))


def test_a_number_of_categories_can_be_asked_for() -> None:
    with pytest.raises(ValueError, match="2 x 2"):
        square_counts(np.zeros((3, 3)), 2)
