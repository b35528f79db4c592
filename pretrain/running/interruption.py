"""SIGTERM and Ctrl-C during a pretraining: it stops after its step, with a checkpoint."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ...training.stopping import StoppedError, StopRequest, stop_on_sigterm


class InterruptedTrainingError(StoppedError):
    """Ctrl-C: the training stopped, with the exit code that a shell gives to it."""

    exit_code = 128 + signal.SIGINT


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Inside the block the first SIGTERM or Ctrl-C makes the request that the block is given; a second one ends it all.

    Raises InterruptedTrainingError instead of StoppedError where it was Ctrl-C.
    """
    with stop_on_sigterm() as request:
        if threading.current_thread() is not threading.main_thread():
            yield request
            return
        interrupted = False

        def on_interrupt(number: int, frame: object) -> None:
            nonlocal interrupted
            interrupted = True
            request.make()
            signal.signal(number, before)

        before = signal.signal(signal.SIGINT, on_interrupt)
        try:
            yield request
        except StoppedError as error:
            kind = InterruptedTrainingError if interrupted else StoppedError
            raise kind(f"{error}, by the same command with --resume") from None
        finally:
            signal.signal(signal.SIGINT, before)
