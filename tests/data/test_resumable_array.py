"""Filling an array on disk: killed, interrupted, contended, damaged, out of room."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from cxrbench.data.resumable_array import fill, open_array
from cxrbench.foundation.errors import UserError
from cxrbench.foundation.progress import SilentProgress

SHAPE = (10, 3)
# A process of its own: rows hold their numbers, each chunk takes `pause` seconds and is told on stdout.
PROGRAM = """
import sys, time
from pathlib import Path
import numpy as np
from cxrbench.data import resumable_array
from cxrbench.foundation.progress import LineProgress

folder, rows, pause = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
resumable_array._SYNC_SECONDS = 0.0

def produce(missing):
    for part in missing:
        time.sleep(pause)
        yield np.arange(part.start, part.stop)[:, None] * np.ones((1, 1000), np.int64)
        print(part.start, flush=True)

resumable_array.fill(folder, (rows, 1000), np.int64, 2, produce, title="numbers", progress=LineProgress())
"""


def numbers(missing: Sequence[slice]) -> Iterator[np.ndarray]:
    for part in missing:
        yield np.arange(part.start, part.stop, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)


def expected(rows: int = 10) -> np.ndarray:
    return np.repeat(np.arange(rows, dtype=np.float32)[:, None], 3, axis=1)


def start(folder: Path, rows: int, pause: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(folder), str(rows), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def told(process: subprocess.Popen[str], chunks: int) -> list[int]:
    assert process.stdout is not None
    return [int(process.stdout.readline()) for _ in range(chunks)]


@pytest.mark.parametrize("chunk", [1, 3, 10, 99])
def test_every_row_is_produced_and_the_array_is_read_only(tmp_path: Path, chunk: int):
    values = fill(tmp_path / "a", SHAPE, np.float32, chunk, numbers, title="a")
    assert values is not None
    np.testing.assert_array_equal(values, expected())
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 1
    np.testing.assert_array_equal(np.load(tmp_path / "a" / "values.npy"), expected())


def test_a_finished_array_is_not_produced_again(tmp_path: Path):
    fill(tmp_path / "a", SHAPE, np.float32, 3, numbers, title="a")
    values = fill(tmp_path / "a", SHAPE, np.float32, 3, lambda _: pytest.fail("produced again"), title="a")
    np.testing.assert_array_equal(values, expected())


def test_an_error_keeps_the_chunks_before_it(tmp_path: Path):
    asked: list[slice] = []

    def failing(missing: Sequence[slice]) -> Iterator[np.ndarray]:
        for part in missing:
            if part.start == 6:
                raise RuntimeError("no more")
            yield from numbers([part])

    def watched(missing: Sequence[slice]) -> Iterator[np.ndarray]:
        asked.extend(missing)
        return numbers(missing)

    with pytest.raises(RuntimeError, match="no more"):
        fill(tmp_path / "a", SHAPE, np.float32, 3, failing, title="a")
    assert not (tmp_path / "a").exists()
    np.testing.assert_array_equal(fill(tmp_path / "a", SHAPE, np.float32, 3, watched, title="a"), expected())
    assert asked == [slice(6, 9), slice(9, 10)]


def test_chunks_left_out_stay_missing(tmp_path: Path):
    def partly(missing: Sequence[slice]) -> Iterator[np.ndarray | None]:
        for part in missing[:3]:
            yield None if part.start == 3 else next(numbers([part]))

    assert fill(tmp_path / "a", SHAPE, np.float32, 3, partly, title="a") is None
    assert not (tmp_path / "a").exists()
    asked: list[slice] = []
    fill(tmp_path / "a", SHAPE, np.float32, 3, lambda missing: (asked.extend(missing), numbers(missing))[1], title="a")
    assert asked == [slice(3, 6), slice(9, 10)]


def test_the_producer_is_closed_when_it_is_interrupted(tmp_path: Path):
    closed = []

    def produce(missing: Sequence[slice]) -> Iterator[np.ndarray]:
        try:
            yield np.zeros((99, 99), np.float32)
        finally:
            closed.append(True)

    with pytest.raises(ValueError, match="expected float32"):
        fill(tmp_path / "a", SHAPE, np.float32, 3, produce, title="a")
    assert closed


def test_killed_in_the_middle_it_goes_on_with_equal_bytes(tmp_path: Path):
    process = start(tmp_path / "killed", 20, 0.02)
    told(process, 4)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed").exists()

    again = start(tmp_path / "killed", 20, 0)
    output, errors = again.communicate(timeout=20)
    assert again.returncode == 0, errors
    resumed_at = int(output.split()[0])
    assert 8 <= resumed_at < 20
    assert f"going on after {resumed_at} of 20" in errors
    assert start(tmp_path / "whole", 20, 0).wait(timeout=20) == 0
    killed, whole = (tmp_path / name / "values.npy" for name in ("killed", "whole"))
    assert killed.read_bytes() == whole.read_bytes()


def test_two_processes_build_it_once_and_the_second_says_that_it_waits(tmp_path: Path):
    first = start(tmp_path / "a", 20, 0.1)
    told(first, 1)
    second = start(tmp_path / "a", 20, 0.1)
    output, errors = second.communicate(timeout=30)
    assert first.wait() == second.returncode == 0
    assert output == ""
    assert re.search(r"numbers: another process is at it; waiting for .*/a$", errors, re.MULTILINE)


def test_whoever_waits_takes_over_from_a_killed_process(tmp_path: Path):
    first = start(tmp_path / "a", 20, 0.3)
    told(first, 2)
    values: list[np.ndarray | None] = []

    def wait() -> None:
        def produce(missing: Sequence[slice]) -> Iterator[np.ndarray]:
            for part in missing:
                yield np.arange(part.start, part.stop)[:, None] * np.ones((1, 1000), np.int64)

        values.append(fill(tmp_path / "a", (20, 1000), np.int64, 2, produce, title="a"))

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.2)
    assert thread.is_alive()
    first.kill()
    first.communicate()
    thread.join(timeout=10)
    np.testing.assert_array_equal(values[0], np.repeat(np.arange(20)[:, None], 1000, axis=1))


def test_an_interrupt_ends_it_within_a_second(tmp_path: Path):
    process = start(tmp_path / "a", 2000, 0.02)
    told(process, 3)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    process.communicate(timeout=10)
    assert time.monotonic() - began < 1.0
    assert not (tmp_path / "a").exists()
    flags = np.fromfile(tmp_path / "a.building" / "done", np.uint8)
    assert flags[:3].all()


@pytest.mark.parametrize("name", ["values.npy", "done", "array.json"])
def test_a_half_built_folder_damaged_by_a_crash_is_begun_again(tmp_path: Path, name: str):
    fill(tmp_path / "a", SHAPE, np.float32, 3, lambda missing: numbers(missing[:2]), title="a")
    os.truncate(tmp_path / "a.building" / name, 0)
    np.testing.assert_array_equal(fill(tmp_path / "a", SHAPE, np.float32, 3, numbers, title="a"), expected())


def test_a_half_built_folder_of_another_shape_is_begun_again(tmp_path: Path):
    fill(tmp_path / "a", (99, 3), np.float32, 3, lambda missing: numbers(missing[:2]), title="a")
    np.testing.assert_array_equal(fill(tmp_path / "a", SHAPE, np.float32, 3, numbers, title="a"), expected())


def test_a_finished_folder_of_another_shape_is_refused(tmp_path: Path):
    fill(tmp_path / "a", SHAPE, np.float32, 3, numbers, title="a")
    with pytest.raises(UserError, match=r"a holds float32 \[10, 3\], not float16 \[10, 3\]; delete it"):
        fill(tmp_path / "a", SHAPE, np.float16, 3, numbers, title="a")


def test_a_damaged_finished_folder_is_named(tmp_path: Path):
    fill(tmp_path / "a", SHAPE, np.float32, 3, numbers, title="a")
    os.truncate(tmp_path / "a" / "values.npy", 150)
    with pytest.raises(UserError, match=r"a/values\.npy: damaged"):
        open_array(tmp_path / "a", SHAPE, np.float32)


def test_a_disk_without_room_is_known_before_the_work(tmp_path: Path):
    program = (
        "import resource, sys, numpy as np; from pathlib import Path\n"
        "from cxrbench.data.resumable_array import fill\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "fill(Path(sys.argv[1]), (1000, 1000), np.uint8, 10, lambda missing: sys.exit('began'), title='a')\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "a")], capture_output=True, text=True)
    assert f"UserError: cannot write {tmp_path / 'a'}: File too large" in done.stderr
    assert not (tmp_path / "a.building").exists()


def test_a_disk_that_fills_up_is_an_error_that_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(UserError, match=r"cannot write .*/a\.building: No space left on device"):
        fill(tmp_path / "a", SHAPE, np.float32, 3, numbers, title="a")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*/file/a"):
        fill(tmp_path / "file" / "a", SHAPE, np.float32, 3, numbers, title="a")


def test_progress_counts_rows(tmp_path: Path):
    counted = []

    class Step:
        def advance(self, done: int = 1, note: str = "") -> None:
            counted.append(done)

    class Counting(SilentProgress):
        def step(self, title: str, total: int):  # type: ignore[override]
            from contextlib import nullcontext

            counted.append((title, total))
            return nullcontext(Step())

    fill(tmp_path / "a", SHAPE, np.float32, 4, numbers, title="a", progress=Counting())
    assert counted == [("a", 10), 4, 4, 2]
    assert json.loads((tmp_path / "a" / "array.json").read_text())["shape"] == [10, 3]
