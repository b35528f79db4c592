"""Draws the images of a plan, on several cores."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import cv2

from ...foundation.errors import UserError
from ...foundation.progress import Progress, SilentProgress
from .case import PhantomCase, PhantomPlan, PhantomRequest
from .drawing import check, draw

# Images that a worker draws at a time, and fewer than which are drawn without workers: starting one takes as long
# as drawing some fifty images.
_CHUNK = 8
_WORTH_A_WORKER = 64


def generate(
    plan: PhantomPlan,
    size: int,
    seed: int,
    rib_free: bool = False,
    progress: Progress | None = None,
    workers: int | None = None,
) -> Iterator[PhantomCase]:
    """Draw `plan` in its order. `workers` processes (None: one a core) change the speed and nothing else."""
    progress = progress or SilentProgress()
    for request in plan:
        check(request, size)
    job = _Job(size, seed, rib_free)
    workers = min(workers or _cores(), len(plan) // _WORTH_A_WORKER)
    if multiprocessing.current_process().daemon:
        workers = 1
    with progress.step("drawing phantoms", len(plan)) as step:
        cases = _in_processes(job, plan, workers) if workers > 1 else map(job, plan)
        for case in cases:
            step.advance()
            yield case


@dataclass(frozen=True)
class _Job:
    size: int
    seed: int
    rib_free: bool

    def __call__(self, request: PhantomRequest) -> PhantomCase:
        return draw(request, self.size, self.seed, self.rib_free)

    def chunk(self, requests: PhantomPlan) -> list[PhantomCase]:
        return [self(request) for request in requests]


def _in_processes(job: _Job, plan: PhantomPlan, workers: int) -> Iterator[PhantomCase]:
    chunks = deque(plan[start : start + _CHUNK] for start in range(0, len(plan), _CHUNK))
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start_worker)
    try:
        running = deque()
        while chunks or running:
            # A bounded queue: what is drawn but not yet written stays in memory.
            while chunks and len(running) < 2 * workers:
                running.append(pool.submit(job.chunk, chunks.popleft()))
            yield from running.popleft().result()
    except BrokenProcessPool as error:
        raise UserError("a process that draws phantoms was killed; is there enough memory? try again") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


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
