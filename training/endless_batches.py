"""The batches of epoch after epoch, from any one on."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice
from typing import Any, cast

from .job import Batches


class EndlessBatches:
    """Counts batches through all epochs: number k is batch k % n_batches of epoch k // n_batches.

    Where `batches` take `first` besides the epoch, as `BatchLoader` does, batches before the first one are not made;
    else they are made and thrown away.
    """

    def __init__(self, batches: Batches, n_batches: int):
        if n_batches < 1:
            raise ValueError("n_batches must be at least 1")
        self._batches, self._n_batches = batches, n_batches
        self._skips = "first" in inspect.signature(batches).parameters

    def __call__(self, number: int) -> Iterator[Any]:
        """The batches from `number` on, without an end. Raises ValueError where an epoch has not `n_batches`."""
        first = number % self._n_batches
        for epoch in count(number // self._n_batches):
            made = first
            for batch in self._epoch(epoch, first):
                made += 1
                yield batch
            if made != self._n_batches:
                raise ValueError(f"epoch {epoch + 1} gave {made} batches, {self._n_batches} were announced")
            first = 0

    def _epoch(self, epoch: int, first: int) -> Iterable[Any]:
        if first and self._skips:
            return cast(Callable[..., Iterable[Any]], self._batches)(epoch, first=first)
        return islice(self._batches(epoch), first, None)
