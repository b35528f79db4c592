"""Batches prepared ahead in threads, in an order that depends on the seed and the epoch only."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np


@dataclass(frozen=True)
class BatchLoader:
    """Every sample once an epoch, in batches of nearly equal size (so that none is too small for BatchNorm).

    Where `exact`, every batch has `batch_size` samples; what is left over waits for another epoch's order.

    Attributes:
        prepare: makes a batch of sample places [B] and a random generator of its own; it runs in a thread,
            so its work should release Python's lock (OpenCV and NumPy do).
        n_samples: places run from 0 to `n_samples` - 1.
        batch_size: the largest batch.
        seed: of the order and of the generators.
        shuffle: a new order every epoch; False keeps the places' order.
        workers: threads; one more batch than that is under way.
        rank: which share of every batch this process prepares: the part from rank/world to (rank + 1)/world.
        world: number of shares; of an exact batch they are equal.
        exact: whether every batch has exactly `batch_size` samples.

    Raises ValueError for sizes that cannot be.
    """

    prepare: Callable[[np.ndarray, np.random.Generator], Any]
    n_samples: int
    batch_size: int
    seed: int
    shuffle: bool = True
    workers: int = 1
    rank: int = 0
    world: int = 1
    exact: bool = False

    def __post_init__(self) -> None:
        if min(self.n_samples, self.batch_size, self.workers, self.world) < 1:
            raise ValueError("n_samples, batch_size, workers and world must be at least 1")
        if self.exact and self.n_samples < self.batch_size:
            raise ValueError(f"{self.n_samples} samples are fewer than a batch of {self.batch_size}")
        if self.exact and self.batch_size % self.world:
            raise ValueError(f"a batch of {self.batch_size} cannot be divided equally among {self.world} processes")
        smallest = self.n_samples // len(self)
        if smallest < self.world:
            raise ValueError(f"{self.world} processes are too many for batches of {smallest} samples")

    def __len__(self) -> int:
        return self.n_samples // self.batch_size if self.exact else -(-self.n_samples // self.batch_size)

    def share(self, rank: int, world: int) -> BatchLoader:
        """The loader of one of `world` processes: every batch is dealt out among them."""
        return replace(self, rank=rank, world=world)

    def places(self, epoch: int) -> list[np.ndarray]:
        """The sample places of every batch of `epoch`."""
        order = np.arange(self.n_samples)
        if self.shuffle:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.n_samples)
        if self.exact:
            order = order[: len(self) * self.batch_size]
        return [np.array_split(batch, self.world)[self.rank] for batch in np.array_split(order, len(self))]

    def __call__(self, epoch: int, first: int = 0) -> Iterator[Any]:
        """The batches of `epoch` from number `first` on, each ready when it is asked for where the threads keep up."""
        jobs = islice(enumerate(self.places(epoch)), first, None)
        waiting: deque[Future[Any]] = deque()
        with ThreadPoolExecutor(self.workers, thread_name_prefix="batch") as pool:

            def submit(count: int) -> None:
                for number, places in islice(jobs, count):
                    generator = np.random.default_rng([self.seed, epoch, number, self.rank])
                    waiting.append(pool.submit(self.prepare, places, generator))

            try:
                submit(self.workers + 1)
                while waiting:
                    batch = waiting.popleft().result()
                    submit(1)
                    yield batch
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
