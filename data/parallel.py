"""One function over many arguments on several cores: in threads, or in processes that start quickly."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Event
from typing import Any, TypeVar

from ..foundation.errors import UserError

A = TypeVar("A")
R = TypeVar("R")

_PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from {module} import serve
serve(int(sys.argv[2]))
"""


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(
    function: Callable[[A], R],
    arguments: Iterable[A],
    workers: int,
    processes: bool = False,
    instead: Callable[[A], R] | None = None,
) -> Generator[R, None, None]:
    """`function` of each argument, in the order of the arguments, several under way at a time.

    At most two answers a worker wait to be taken, so memory does not grow with the number of arguments.
    Closing the generator ends everything: processes are killed, threads finish the call they are in.

    Args:
        function: for processes one at the top of a module; arguments and answers are sent there and back.
        workers: how many calls run at a time.
        processes: for functions that hold Python's lock. A worker is a fresh interpreter that imports the
            function's module and not the caller's main program, and ends when the caller does, however
            that ends.
        instead: the answer for an argument over which a process died; another process takes its place. None
            makes it an error.

    Raises:
        UserError: a process was killed, or could not start.
        RuntimeError: the function raised an exception in a process; the message is its traceback. In a
            thread the exception itself comes out.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="worker")
    started: list[_Process] = []
    idle: SimpleQueue[_Process] = SimpleQueue()

    def ask(argument: A) -> R:
        process = idle.get()
        try:
            return process.ask(argument)
        except _DiedError as death:
            if instead is None or not death.at_work or stopped.is_set():
                raise UserError(f"a worker process was {death}; is there enough memory? try again") from None
            process.start()
            return instead(argument)
        finally:
            idle.put(process)

    waiting: deque[Future[R]] = deque()
    stopped = Event()
    try:
        for _ in range(workers if processes else 0):
            started.append(_Process(function))
            idle.put(started[-1])
        for argument in arguments:
            waiting.append(pool.submit(ask if processes else function, argument))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        stopped.set()
        for process in started:
            process.stop()
        pool.shutdown(wait=True, cancel_futures=True)


class _DiedError(Exception):
    """How a process ended, in words, and whether it had come so far as to take questions."""

    def __init__(self, how: str, at_work: bool):
        super().__init__(how)
        self.at_work = at_work


class _Process:
    """An interpreter that answers one question at a time over a socket."""

    def __init__(self, function: Callable[..., Any]):
        self._function = function
        self.start()

    def start(self) -> None:
        """Begin, or begin again after a death. Raises UserError where the system allows no further process."""
        self._at_work = False
        ours, theirs = socket.socketpair()
        with theirs:
            program = _PROGRAM.format(module=__name__)
            # -P: nothing in the current folder is taken for a module. A group of its own: Ctrl-C reaches the
            # caller alone, which then ends its workers.
            command = [sys.executable, "-P", "-c", program, json.dumps(sys.path), str(theirs.fileno())]
            try:
                self._process = subprocess.Popen(
                    command,
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    process_group=0,
                )
            except OSError as error:
                ours.close()
                raise UserError(f"no worker process can be started: {error.strerror}; try again") from error
        self._connection = Connection(ours.detach())
        # Whoever asks a process that is dead by now is told so.
        with suppress(OSError):
            self._connection.send((self._function.__module__, self._function.__qualname__))

    def ask(self, argument: object) -> Any:
        try:
            if not self._at_work:
                self._connection.recv()
                self._at_work = True
            self._connection.send(argument)
            done, answer = self._connection.recv()
        except (EOFError, OSError):
            status = self._process.wait()
            how = f"killed (signal {-status})" if status < 0 else f"ended (exit status {status})"
            raise _DiedError(how, self._at_work) from None
        if not done:
            raise RuntimeError(answer)
        return answer

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        # The thread that waits for an answer still reads; the end of the process ends its wait.


def serve(descriptor: int) -> None:
    """What a worker process runs: answers questions until the caller closes its end, or is no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(descriptor)
    # A caller that is no more is the end of the file, or a reset where it left an answer unread.
    with suppress(EOFError, ConnectionError):
        module, name = connection.recv()
        function = getattr(import_module(module), name)
        connection.send("at work")
        while True:
            argument = connection.recv()
            try:
                answer = True, function(argument)
            except Exception:
                answer = False, traceback.format_exc()
            connection.send(answer)
