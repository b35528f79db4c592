from __future__ import annotations

import numpy as np
import pytest

from cxrbench.stats.confusion import confusion_between


def test_counts_by_hand() -> None:
    table = confusion_between(np.array([0, 2, 2, 1, 2]), np.array([0, 0, 2, 1, 0]), 3)
    assert table.tolist() == [[1, 0, 0], [0, 1, 0], [2, 0, 1]]
    assert table.dtype == np.int64


def test_labels_give_the_order_of_rows_and_columns() -> None:
    a, b = np.array(["viral", "normal", "viral"]), np.array(["normal", "normal", "bacterial"])
    table = confusion_between(a, b, ["normal", "bacterial", "viral"])
    assert table.tolist() == [[1, 0, 0], [0, 0, 0], [1, 1, 0]]
    assert confusion_between(np.array([7, -3]), np.array([7, 7]), [7, -3]).tolist() == [[1, 0], [1, 0]]


def test_correctness_with_right_before_wrong_makes_a_table_for_mcnemar() -> None:
    right_a, right_b = np.array([True, True, False, True]), np.array([True, False, False, False])
    assert confusion_between(right_a, right_b, [True, False]).tolist() == [[1, 2], [0, 1]]


def test_agrees_with_scikit_learn() -> None:
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 9, (2, 5000))
    expected = sklearn_metrics.confusion_matrix(a, b, labels=np.arange(9))
    assert (confusion_between(a, b, 9) == expected).all()
    names = np.array(list("abcdefghi"))
    assert (confusion_between(names[a], names[b].astype(object), names) == expected).all()


def test_leading_axes_are_tables_of_their_own_and_broadcast() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 4, (2, 3, 50)), rng.integers(0, 4, 50)
    tables = confusion_between(a, b, 4)
    assert tables.shape == (2, 3, 4, 4)
    assert (tables[1, 2] == confusion_between(a[1, 2], b, 4)).all()


def test_no_samples_are_zeros() -> None:
    assert confusion_between(np.array([]), np.array([]), 2).tolist() == [[0, 0], [0, 0]]
    assert confusion_between(np.zeros((0, 5), dtype=int), np.zeros(5, dtype=int), 2).shape == (0, 2, 2)


@pytest.mark.parametrize(
    ("a", "b", "labels", "words"),
    [
        ([0, 7, 9], [0, 1, 1], 3, r"pred_a holds values that are not in labels \[0, 1, 2\]: 7, 9"),
        ([0, 1], [0, -1], 3, "pred_b holds .*: -1"),
        ([0.0, 0.5], [0, 1], 2, "pred_a holds .*: 0.5"),
        ([0, np.nan], [0, 1], 2, "pred_a holds .*: nan"),
        (["a", "z"], ["a", "b"], ["a", "b"], "pred_a holds .*: 'z'"),
        (["0", "1"], [0, 1], 2, "pred_a holds .*: '0', '1'"),
        ([0, 1], [0, 1], ["0", "1"], "pred_a holds .*: 0, 1"),
        ([0, 1], [0, 1, 1], 2, "length"),
        (0, 1, 2, "length"),
        ([0], [0], [], "at least one"),
        ([0], [0], 0, "at least one"),
        ([0], [0], [0, 1, 0], "repeated"),
        ([0], [0], [0, np.nan], "NaN"),
        ([1j], [0], 2, "numbers, booleans or strings"),
    ],
)
def test_what_cannot_be_counted_is_an_error_that_says_why(a: object, b: object, labels: list, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        confusion_between(np.asarray(a), np.asarray(b), labels)


def test_missing_text_is_an_error() -> None:
    with pytest.raises(ValueError, match="all strings"):
        confusion_between(np.array(["a", None], dtype=object), np.array(["a", "a"]), ["a"])
