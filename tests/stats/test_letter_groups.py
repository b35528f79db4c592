from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxrbench.stats.letter_groups import letters


def _different(k: int, pairs: list[tuple[int, int]]) -> np.ndarray:
    matrix = np.zeros((k, k), dtype=bool)
    for i, j in pairs:
        matrix[i, j] = matrix[j, i] = True
    return matrix


def test_neighbours_on_a_line_share_letters() -> None:
    # By hand: 0-1, 1-2 and 2-3 are alike, all others are told apart.
    assert letters(_different(4, [(0, 2), (0, 3), (1, 3)])) == ("a", "ab", "bc", "c")


def test_first_and_last_differ_and_the_middle_goes_with_both() -> None:
    different = _different(3, [(0, 2)])
    assert letters(different) == ("a", "ab", "b")
    assert letters(different, order=[2, 1, 0]) == ("b", "ab", "a")


def test_all_alike_and_all_different() -> None:
    assert letters(_different(3, [])) == ("a", "a", "a")
    assert letters(~np.eye(4, dtype=bool)) == ("a", "b", "c", "d")
    assert letters(~np.eye(3, dtype=bool), order=np.array([1, 2, 0])) == ("c", "a", "b")


def test_one_method_and_none() -> None:
    assert letters(np.zeros((1, 1), dtype=bool)) == ("a",)
    assert letters(np.zeros((0, 0), dtype=bool)) == ()


def test_a_redundant_letter_is_swept_out() -> None:
    # Alike: a six-sided ring of triangles around 0, 2, 4. The triangle 0-2-4 adds no pair to the other three.
    alike = [(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (2, 4), (4, 5), (5, 0), (0, 4)]
    different = ~np.eye(6, dtype=bool) & ~_different(6, alike)
    assert letters(different) == ("ab", "a", "ac", "c", "bc", "b")


def test_letters_go_on_after_the_alphabet() -> None:
    shown = letters(~np.eye(54, dtype=bool))
    assert shown[25:28] == ("z", "A", "B")
    assert shown[51:] == ("Z", "a2", "b2")


@pytest.mark.parametrize(
    ("different", "order", "words"),
    [
        (np.zeros((2, 3), dtype=bool), None, "booleans"),
        (np.zeros((2, 2)), None, "booleans"),
        (np.array(True), None, "booleans"),
        (np.array([[False, True], [False, False]]), None, "symmetric"),
        (np.eye(2, dtype=bool), None, "diagonal"),
        (np.zeros((2, 2), dtype=bool), [0, 0], "once"),
        (np.zeros((2, 2), dtype=bool), [1], "once"),
    ],
)
def test_what_has_no_letters_is_an_error(different: np.ndarray, order: list[int] | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        letters(different, order)


@given(st.integers(1, 8), st.randoms(use_true_random=False), st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_methods_share_a_letter_exactly_where_they_are_not_told_apart(k: int, random: Random, share: float) -> None:
    rng = np.random.default_rng(random.randrange(2**32))
    upper = np.triu(rng.random((k, k)) < share, 1)
    different = upper | upper.T
    order = rng.permutation(k)
    shown = letters(different, order)
    _means_what_it_says(shown, different)
    assert shown[order[0]].startswith("a")


def _means_what_it_says(shown: tuple[str, ...], different: np.ndarray) -> None:
    for i, first in enumerate(shown):
        assert first
        for j, second in enumerate(shown):
            assert bool(set(first) & set(second)) != different[i, j]
