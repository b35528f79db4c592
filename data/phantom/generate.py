"""Draws the images of a plan, on several cores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import cv2

from ...foundation.progress import Progress, SilentProgress
from ..parallel import cores, in_order
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
    workers = min(workers or cores(), len(plan) // _WORTH_A_WORKER)
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


def _draw_chunk(asked: tuple[_Job, PhantomPlan]) -> list[PhantomCase]:
    cv2.setNumThreads(1)
    job, requests = asked
    return [job(request) for request in requests]


def _in_processes(job: _Job, plan: PhantomPlan, workers: int) -> Iterator[PhantomCase]:
    chunks = ((job, plan[start : start + _CHUNK]) for start in range(0, len(plan), _CHUNK))
    with closing(in_order(_draw_chunk, chunks, workers, processes=True)) as drawn:
        for cases in drawn:
            yield from cases
