"""Tries to decode many image files in several processes, and outlives a file that brings its decoder down."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import cv2

from ..foundation.errors import UserError
from ..foundation.progress import Progress, SilentProgress
from .image_reading import read_image

# Files that a worker decodes at a time, and fewer than which are decoded without workers: starting one takes as long
# as decoding some fifty images.
_CHUNK = 16
_WORTH_A_WORKER = 100


class FileCheck(NamedTuple):
    """What became of one file: why it cannot be decoded (empty where it can), and its size in pixels (else 0)."""

    reason: str
    height: int
    width: int


def check_files(
    paths: Sequence[Path], title: str, progress: Progress | None = None, workers: int | None = None
) -> Iterator[FileCheck]:
    """Decode each file and forget its pixels; results in the order of `paths`.

    Args:
        paths: files of images.
        title: what the work is called in `progress`.
        workers: processes; None takes one a core. They change the speed and nothing else.

    Raises UserError where no process can be started.
    """
    progress = progress or SilentProgress()
    workers = min(workers or _cores(), len(paths) // _WORTH_A_WORKER)
    if multiprocessing.current_process().daemon:
        workers = 1
    with progress.step(title, len(paths)) as step:
        checks = _in_processes(paths, workers) if workers > 1 else (check_file(path) for path in paths)
        with closing(checks):
            for check in checks:
                step.advance()
                yield check


def check_file(path: Path) -> FileCheck:
    """Decode one file and forget its pixels."""
    try:
        height, width = read_image(path).shape
    except UserError as error:
        return FileCheck(str(error), 0, 0)
    except MemoryError:
        return FileCheck(f"{path}: too large for this machine's memory", 0, 0)
    return FileCheck("", height, width)


def _check_chunk(paths: Sequence[Path]) -> list[FileCheck]:
    return [check_file(path) for path in paths]


def _in_processes(paths: Sequence[Path], workers: int) -> Generator[FileCheck, None, None]:
    chunks = deque(paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK))
    running: deque[tuple[Sequence[Path], Future[list[FileCheck]]]] = deque()
    pool = _pool(workers)
    try:
        while chunks or running:
            try:
                while chunks and len(running) < 3 * workers:
                    running.append((chunks[0], pool.submit(_check_chunk, chunks[0])))
                    chunks.popleft()
                found = running[0][1].result()
            except BrokenProcessPool:
                # One of the chunks under way killed its worker, and the pool with it; the eldest is looked at closely.
                pool.shutdown(wait=True, cancel_futures=True)
                pool = _pool(workers)
                chunks.extendleft(chunk for chunk, _ in reversed(running))
                running.clear()
                yield from _one_by_one(chunks.popleft())
            else:
                running.popleft()
                yield from found
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _one_by_one(paths: Sequence[Path]) -> Iterator[FileCheck]:
    """Each file in a process that it may bring down alone."""
    pool = _working_pool()
    try:
        for path in paths:
            try:
                yield pool.submit(check_file, path).result()
            except BrokenProcessPool:
                pool.shutdown(wait=True)
                pool = _working_pool()
                yield FileCheck(f"{path}: brings its decoder down", 0, 0)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _working_pool() -> ProcessPoolExecutor:
    """A pool of one process. Raises UserError where processes die before they read anything: no file is to blame."""
    pool = _pool(1)
    try:
        pool.submit(_cores).result()
    except BrokenProcessPool as error:
        pool.shutdown(wait=True)
        raise UserError(
            "processes that read images die as soon as they start; is there enough memory? "
            "A script of one's own must start its work under `if __name__ == '__main__':`"
        ) from error
    return pool


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start_worker)


def _start_worker() -> None:
    # The parent gets Ctrl-C and ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A worker whose parent was killed would wait for work for ever.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
