"""Ending a training early from outside, so that it can be gone on with."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from ctypes import c_bool
from typing import Any

from ..foundation.errors import UserError


class StoppedError(UserError):
    """The training was asked to stop, and did: with the exit code of a process that ended on SIGTERM."""

    exit_code = 128 + signal.SIGTERM


class StopRequest:
    """A `stop` for `fit` that spawned processes see too; False until `make` is called."""

    def __init__(self) -> None:
        # Without a lock: a signal's handler may run while this process holds it.
        self._made = multiprocessing.get_context("spawn").RawValue(c_bool, False)

    def __call__(self) -> bool:
        return bool(self._made.value)

    def make(self) -> None:
        """Ask the training to stop after its present step."""
        self._made.value = True


@contextmanager
def stop_on(*signals: signal.Signals) -> Iterator[StopRequest]:
    """Inside the block each signal makes the request that the block is given; sent again, it does what it did before.

    Outside the main thread signals cannot be taken, and none is.
    """
    request = StopRequest()
    before: dict[int, Any] = {}

    def on_signal(number: int, frame: object) -> None:
        request.make()
        signal.signal(number, before[number])

    if threading.current_thread() is threading.main_thread():
        before = {each: signal.signal(each, on_signal) for each in signals}
    try:
        yield request
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def stop_on_sigterm() -> AbstractContextManager[StopRequest]:
    """`stop_on` a SIGTERM."""
    return stop_on(signal.SIGTERM)
