"""Which descriptors are alike, without comparing all with all: an index of cells."""

from __future__ import annotations

import numpy as np

from ...foundation.progress import Progress, SilentProgress

# Below so many rows all are compared; it takes seconds.
_ONE_CELL = 16_384
# Rows a cell, and how many cells around a query are looked into.
_CELL = 400
_PROBES = 24
_MOST_CELLS = 4096
_ROUNDS = 6
_TRAINING_ROWS_A_CELL = 40
_BLOCK = 2048


def alike(
    queries: np.ndarray, base: np.ndarray, least: float, most: int, progress: Progress | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of rows whose dot product is at least `least`, for each query at most about the `most` largest.

    The rows of `base` are sorted into cells around centres (spherical k-means); a query is compared with the rows of
    the 24 cells whose centres are nearest to it, so time grows far slower than the number of pairs, and memory as
    the number of rows. Up to 16,384 rows all are compared.

    Args:
        queries: float32 [M, D], rows of length 1.
        base: float32 [N, D], rows of length 1.
        least: smallest dot product.
        most: pairs a query and cell.

    Returns:
        Rows of `queries` and rows of `base`, int64 [P] each, sorted by query and then by falling dot product.
    """
    progress = progress or SilentProgress()
    if not len(queries) or not len(base):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    centres = _centres(base)
    cell_of_base = _nearest(base, centres, 1)[:, 0]
    probed = _nearest(queries, centres, min(_PROBES, len(centres)))
    members, starts = _by_cell(cell_of_base, len(centres))
    visitors, visits = _by_cell(probed.ravel(), len(centres))
    visitors = visitors // probed.shape[1]
    found = []
    with progress.step("searching near-duplicates", len(visitors)) as step:
        for cell in range(len(centres)):
            inside = members[starts[cell] : starts[cell + 1]]
            asking = visitors[visits[cell] : visits[cell + 1]]
            for first in range(0, len(asking), _BLOCK):
                rows = asking[first : first + _BLOCK]
                found.append(_strongest(queries[rows] @ base[inside].T, least, most, rows, inside))
                step.advance(len(rows))
    query, other, score = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((other, -score, query))
    order = order[_rank_in_run(query[order]) < most]
    return query[order], other[order]


def _strongest(
    products: np.ndarray, least: float, most: int, rows: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    kept = products >= least
    many = np.flatnonzero(np.count_nonzero(kept, axis=1) > most)
    if len(many):
        limit = np.partition(products[many], -most, axis=1)[:, -most]
        kept[many] &= products[many] >= limit[:, None]
    row, column = np.nonzero(kept)
    return rows[row], columns[column], products[row, column]


def _rank_in_run(values: np.ndarray) -> np.ndarray:
    """Position of each entry of sorted `values` among its equals."""
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])) if len(values) else values
    lengths = np.diff(np.append(starts, len(values)))
    return np.arange(len(values)) - np.repeat(starts, lengths)


def _centres(base: np.ndarray) -> np.ndarray:
    """Centres of the cells, rows of length 1; a single one where all are to be compared."""
    if len(base) <= _ONE_CELL:
        return base[:1]
    count = min(len(base) // _CELL, _MOST_CELLS)
    generator = np.random.default_rng(0)
    rows = generator.permutation(len(base))[: count * _TRAINING_ROWS_A_CELL]
    sample = base[rows]
    centres = sample[:count].copy()
    for _ in range(_ROUNDS):
        cell = _nearest(sample, centres, 1)[:, 0]
        order = np.argsort(cell, kind="stable")
        present, first = np.unique(cell[order], return_index=True)
        # An empty cell keeps its centre.
        centres[present] = np.add.reduceat(sample[order], first, axis=0)
        centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-9)
    return centres


def _nearest(rows: np.ndarray, centres: np.ndarray, count: int) -> np.ndarray:
    """The `count` nearest centres of each row, int64 [N, count], in no order."""
    if len(centres) == 1:
        return np.zeros((len(rows), 1), np.int64)
    found = np.empty((len(rows), count), np.int64)
    for first in range(0, len(rows), _BLOCK):
        products = rows[first : first + _BLOCK] @ centres.T
        if count == 1:
            found[first : first + _BLOCK, 0] = products.argmax(axis=1)
        elif count == len(centres):
            found[first : first + _BLOCK] = np.arange(count)
        else:
            found[first : first + _BLOCK] = np.argpartition(products, -count, axis=1)[:, -count:]
    return found


def _by_cell(cells: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions sorted by cell, and where each cell begins [count + 1]."""
    order = np.argsort(cells, kind="stable")
    return order, np.concatenate([[0], np.cumsum(np.bincount(cells, minlength=count))])
