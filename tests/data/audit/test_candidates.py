"""The index of descriptors: as good as comparing all with all, where that can be done."""

from __future__ import annotations

import numpy as np

from cxrbench.data.audit import candidates
from cxrbench.data.audit.candidates import alike
from cxrbench.data.audit.descriptors import DIMENSIONS, describe
from cxrbench.data.audit.pixels import thumbnail


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_pairs_are_those_of_all_products() -> None:
    generator = np.random.default_rng(0)
    base, queries = (_unit(generator.normal(size=(count, 6))) for count in (200, 90))
    rows, columns = alike(queries, base, 0.8, 3)
    products = queries @ base.T
    expected = []
    for row in range(90):
        best = np.argsort(-products[row], kind="stable")[:3]
        expected += [(row, int(column)) for column in best if products[row, column] >= 0.8]
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == expected


def test_cells_find_what_is_near(monkeypatch) -> None:
    monkeypatch.setattr(candidates, "_ONE_CELL", 1000)
    monkeypatch.setattr(candidates, "_CELL", 100)
    monkeypatch.setattr(candidates, "_PROBES", 8)
    generator = np.random.default_rng(2)
    base = _unit(generator.normal(size=(5000, 24)))
    # Of cosine 0.9 or so with their originals, where unrelated rows have 0 +- 0.2.
    queries = _unit(base[:500] + 0.1 * generator.normal(size=(500, 24)))
    rows, columns = alike(queries, base, 0.8, 4)
    assert np.mean(np.isin(np.arange(500), rows[rows == columns])) > 0.95
    again = alike(queries, base, 0.8, 4)
    np.testing.assert_array_equal(rows, again[0])
    np.testing.assert_array_equal(columns, again[1])


def test_many_equal_rows_do_not_give_all_their_pairs() -> None:
    base = np.tile(_unit(np.ones((1, 4))), (1000, 1))
    rows, _ = alike(base, base, 0.5, 4)
    assert np.bincount(rows).tolist() == [4] * 1000


def test_empty_sides_have_no_pairs() -> None:
    nothing = np.zeros((0, 4), np.float32)
    assert [len(part) for part in alike(nothing, nothing, 0.5, 4)] == [0, 0]


def test_descriptors_know_a_copy_among_few_images(phantoms: np.ndarray) -> None:
    # Two images and their smaller copies: so few that nothing can be learnt about how chests differ.
    thumbnails = np.stack([thumbnail(image) for image in phantoms[:2]])
    copies = np.stack([thumbnail(np.ascontiguousarray(image[2:-2, 2:-2])) for image in phantoms[:2]])
    one, other = describe(thumbnails, copies)
    assert one.shape == (2, DIMENSIONS)
    products = one @ other.T
    assert products.diagonal().min() > max(products[0, 1], products[1, 0]) + 0.4
