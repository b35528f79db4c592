from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from cxrbench.training import BatchLoader


def places_and_draw(places: np.ndarray, generator: np.random.Generator) -> tuple[list[int], float]:
    return places.tolist(), generator.random()


def test_every_sample_comes_once_an_epoch_in_batches_of_nearly_equal_size() -> None:
    loader = BatchLoader(places_and_draw, n_samples=33, batch_size=32, seed=0)
    batches = [places for places, _ in loader(0)]
    assert len(loader) == 2
    assert [len(batch) for batch in batches] == [17, 16]
    assert sorted(place for batch in batches for place in batch) == list(range(33))


def test_order_and_random_numbers_depend_on_seed_and_epoch_only() -> None:
    slow = BatchLoader(places_and_draw, n_samples=50, batch_size=8, seed=3, workers=1)
    wide = BatchLoader(places_and_draw, n_samples=50, batch_size=8, seed=3, workers=4)
    other = BatchLoader(places_and_draw, n_samples=50, batch_size=8, seed=4)
    assert list(slow(2)) == list(wide(2))
    assert list(slow(2)) != list(slow(3))
    assert list(slow(2)) != list(other(2))


def test_without_shuffling_places_keep_their_order() -> None:
    loader = BatchLoader(places_and_draw, n_samples=5, batch_size=3, seed=0, shuffle=False)
    assert [places for places, _ in loader(7)] == [[0, 1, 2], [3, 4]]


def test_shares_divide_every_batch() -> None:
    loader = BatchLoader(places_and_draw, n_samples=40, batch_size=10, seed=1)
    shares = [loader.share(rank, 2)(0) for rank in range(2)]
    for whole, first, second in zip(loader(0), *shares, strict=True):
        assert sorted(first[0] + second[0]) == sorted(whole[0])
        assert first[1] != second[1]


def test_next_batch_is_prepared_while_this_one_is_used() -> None:
    prepared = [threading.Event() for _ in range(3)]

    def prepare(places: np.ndarray, generator: np.random.Generator) -> int:
        prepared[places[0]].set()
        return int(places[0])

    batches = BatchLoader(prepare, n_samples=3, batch_size=1, seed=0, shuffle=False)(0)
    assert next(iter(batches)) == 0
    assert prepared[1].wait(timeout=5)


def test_failure_in_a_thread_reaches_the_caller() -> None:
    def prepare(places: np.ndarray, generator: np.random.Generator) -> None:
        raise OSError("image 3 is cut")

    with pytest.raises(OSError, match="image 3 is cut"):
        list(BatchLoader(prepare, n_samples=4, batch_size=2, seed=0)(0))


def test_leaving_early_leaves_no_thread_at_work() -> None:
    before = threading.active_count()
    for _ in BatchLoader(places_and_draw, n_samples=100, batch_size=1, seed=0)(0):
        break
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        BatchLoader(places_and_draw, n_samples=0, batch_size=2, seed=0)
    with pytest.raises(ValueError, match="too many"):
        BatchLoader(places_and_draw, n_samples=3, batch_size=2, seed=0).share(0, 2)
