"""Letters for groups of methods that the data cannot tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters

import numpy as np


def letters(different: np.ndarray, order: Sequence[int] | np.ndarray | None = None) -> tuple[str, ...]:
    """Compact letter display: two methods share a letter exactly where they are not told apart.

    Columns of letters are found by inserting the differences one by one and absorbing what lies in another
    column (Piepho 2004, J. Comput. Graph. Stat. 13); columns that show nothing of their own are swept out.

    Args:
        different: [k, k] booleans, symmetric: which pairs are told apart.
        order: the methods from the first to the last; the first has an `a`. None: as they stand.

    Returns one string a method, in the order of `different`, such as ("a", "ab", "b"). After z come A to Z, then a2, b2
    and so on. Raises ValueError for a matrix that is not square, not symmetric, tells a method from itself, or
    for an order that does not name every method once.
    """
    matrix = np.asarray(different)
    k = len(matrix) if matrix.ndim else 0
    if matrix.shape != (k, k) or matrix.dtype != bool:
        raise ValueError(f"different must be booleans [k, k], not {matrix.dtype} {list(matrix.shape)}")
    if (matrix != matrix.T).any() or matrix.diagonal().any():
        raise ValueError("different must be symmetric, and False on its diagonal")
    ranked = np.arange(k) if order is None else np.asarray(order, dtype=np.intp)
    if not np.array_equal(np.sort(ranked), np.arange(k)):
        raise ValueError(f"order must name each of {k} methods once")
    columns = sorted(_swept(_columns(matrix[np.ix_(ranked, ranked)])), key=sorted)
    shown = [""] * k
    for number, column in enumerate(columns):
        for place in sorted(column):
            shown[ranked[place]] += _letter(number)
    return tuple(shown)


def _columns(different: np.ndarray) -> list[frozenset[int]]:
    """Insert and absorb: the largest sets of methods of which no two are told apart."""
    columns = [frozenset(range(len(different)))]
    for i, j in np.argwhere(np.triu(different)).tolist():
        whole = [column for column in columns if not (i in column and j in column)]
        parts = {column - {gone} for column in columns if i in column and j in column for gone in (i, j)}
        kept = [part for part in parts if not any(part <= column for column in whole)]
        columns = whole + [part for part in kept if not any(part < other for other in kept)]
    return columns


def _swept(columns: list[frozenset[int]]) -> list[frozenset[int]]:
    """Columns without those whose every pair, and every method, is in another one too."""
    kept = sorted(columns, key=lambda column: (len(column), sorted(column)))
    for column in list(kept):
        others = [other for other in kept if other is not column]
        if all(any({i, j} <= other for other in others) for i in column for j in column):
            kept = others
    return kept


def _letter(number: int) -> str:
    turn, place = divmod(number, len(ascii_letters))
    return ascii_letters[place] + (str(turn + 1) if turn else "")
