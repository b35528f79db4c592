"""Calls on several cores: answers in order, bounded memory, killed and raising workers, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cxrbench.data import parallel
from cxrbench.data.parallel import in_order
from cxrbench.foundation.errors import UserError


def square(number: int) -> int:
    if number == 13:
        raise ValueError("thirteen")
    time.sleep(0.001 * (number % 3))
    return number * number


def process_id(number: int) -> int:
    return os.getpid()


def end_itself(number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def end_at_thirteen(number: int) -> int | str:
    if number == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


# Tests run as modules that a fresh interpreter finds by the name tests.data....
IN_BOTH = pytest.mark.parametrize("processes", [False, True], ids=["threads", "processes"])


@IN_BOTH
def test_answers_come_in_the_order_of_the_arguments(processes: bool):
    numbers = [n for n in range(40) if n != 13]
    assert list(in_order(square, numbers, 3, processes)) == [n * n for n in numbers]


def test_processes_are_others_and_end_with_the_work():
    found = set(in_order(process_id, range(30), 2, processes=True))
    assert os.getpid() not in found
    assert 1 <= len(found) <= 2
    for pid in found:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@IN_BOTH
def test_few_answers_wait_to_be_taken(processes: bool):
    asked: list[int] = []

    def arguments() -> Iterator[int]:
        for number in range(14, 100):
            asked.append(number)
            yield number

    answers = in_order(square, arguments(), 2, processes)
    for _ in range(5):
        next(answers)
    assert len(asked) <= 5 + 2 * 2 + 1
    answers.close()


def test_an_exception_in_a_thread_comes_out_as_it_is():
    with pytest.raises(ValueError, match="thirteen"):
        list(in_order(square, range(20), 2))


def test_an_exception_in_a_process_comes_out_with_its_traceback():
    with pytest.raises(RuntimeError, match=r"in square\n(.*\n)*ValueError: thirteen"):
        list(in_order(square, range(20), 2, processes=True))


def test_a_killed_worker_is_one_line():
    with pytest.raises(
        UserError, match=r"^a worker process was killed \(signal 9\); is there enough memory\? try again$"
    ):
        list(in_order(end_itself, range(5), 2, processes=True))


def test_an_argument_that_kills_its_worker_gets_the_answer_instead_and_the_others_theirs():
    answers = list(in_order(end_at_thirteen, range(20), 2, processes=True, instead=str))
    assert answers == [str(number) if number == 13 else number for number in range(20)]


def test_workers_that_die_at_their_start_are_no_argument_s_fault(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parallel, "_PROGRAM", "import os; os.abort()")
    with pytest.raises(UserError, match=r"a worker process was killed \(signal 6\); is there enough memory"):
        list(in_order(square, range(5), 2, processes=True, instead=str))


def test_a_system_that_starts_no_more_processes_is_one_line_and_ends_the_others(monkeypatch: pytest.MonkeyPatch):
    started: list[subprocess.Popen[Any]] = []
    start = subprocess.Popen

    def second_fails(*given: Any, **options: Any) -> subprocess.Popen[Any]:
        if started:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        started.append(start(*given, **options))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", second_fails)
    with pytest.raises(UserError, match=r"^no worker process can be started: Resource temporarily unavailable; try"):
        list(in_order(square, range(5), 2, processes=True))
    assert started[0].poll() == -signal.SIGKILL


def test_a_worker_whose_answer_nobody_takes_any_more_ends_in_silence(capfd: pytest.CaptureFixture[str]):
    worker = parallel._Process(process_id)
    worker._connection.recv()
    worker._connection.send(1)
    assert worker._connection.poll(20)
    worker._connection.close()
    assert worker._process.wait(20) == 0
    assert capfd.readouterr().err == ""


PROGRAM = """
import sys, time
from cxrbench.data.parallel import in_order
from tests.data import test_parallel
for pid in in_order(test_parallel.process_id, range(10**9), 2, processes=True):
    print(pid, flush=True)
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_their_caller_however_it_ends(sent: int):
    """The program has no `if __name__ == "__main__"`: workers do not run it again."""
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    pids = {int(process.stdout.readline()) for _ in range(200)}
    process.send_signal(sent)
    process.communicate(timeout=20)
    deadline = time.monotonic() + 5
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(alive(pid) for pid in pids)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    # Whose parent was killed waits for the system to collect it.
    return state != "Z"


def test_cores_are_at_least_one():
    assert 1 <= parallel.cores() <= (os.cpu_count() or 1)
