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
        # Rank 0 has the first half, as a method that puts shares together in the order of ranks needs it.
        assert first[0] + second[0] == whole[0]
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


def test_exact_batches_drop_what_is_left_over_and_another_epoch_drops_others() -> None:
    loader = BatchLoader(places_and_draw, n_samples=33, batch_size=8, seed=0, exact=True)
    epochs = [[places for places, _ in loader(epoch)] for epoch in range(3)]
    assert len(loader) == 4
    assert all([len(batch) for batch in batches] == [8, 8, 8, 8] for batches in epochs)
    left_out = [set(range(33)) - {place for batch in batches for place in batch} for batches in epochs]
    assert [len(each) for each in left_out] == [1, 1, 1]
    assert len(set.union(*left_out)) > 1


def test_exact_shares_are_equal_parts() -> None:
    loader = BatchLoader(places_and_draw, n_samples=33, batch_size=8, seed=0, exact=True)
    for whole, *parts in zip(loader(0), *(loader.share(rank, 4)(0) for rank in range(4)), strict=True):
        assert [len(places) for places, _ in parts] == [2, 2, 2, 2]
        assert [place for places, _ in parts for place in places] == whole[0]


def test_batches_from_a_later_one_on_are_the_same_and_the_first_are_not_prepared() -> None:
    prepared: list[int] = []

    def prepare(places: np.ndarray, generator: np.random.Generator) -> tuple[list[int], float]:
        prepared.append(len(places))
        return places_and_draw(places, generator)

    loader = BatchLoader(prepare, n_samples=40, batch_size=8, seed=2)
    whole = list(loader(1))
    prepared.clear()
    assert list(loader(1, first=3)) == whole[3:]
    assert len(prepared) == 2
    assert list(loader(1, first=5)) == []


def test_exact_batches_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="7 samples are fewer than a batch of 8"):
        BatchLoader(places_and_draw, n_samples=7, batch_size=8, seed=0, exact=True)
    with pytest.raises(ValueError, match="batch of 8 cannot be divided equally among 3"):
        BatchLoader(places_and_draw, n_samples=9, batch_size=8, seed=0, exact=True).share(0, 3)
