"""Draws phantom images, each from its seed, patient, study and image number alone."""

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
import numpy as np

from ...foundation.errors import UserError
from ...foundation.progress import Progress, SilentProgress
from .anatomy import ADULT_AGE, draw_anatomy, draw_posture
from .burnin import burn_in
from .case import FINDINGS, PhantomCase, PhantomPlan, PhantomRequest
from .effect import Effect, apply
from .findings import PAINTERS, draw_severity, heart_growth
from .frontal import build_frontal
from .lateral import build_lateral
from .scanner import Geometry, draw_scanner, expose, tone_levels
from .scene import Scene

# Raised whenever an image of the same request and seed may look different.
VERSION = 1

SMALLEST = 32

# What each stream of random numbers is for; separate streams keep one choice from moving another.
_ANATOMY, _POSTURE, _TISSUE, _FINDING, _SCANNER, _NOISE, _TWIN_NOISE, _GEOMETRY = range(8)


def draw(request: PhantomRequest, size: int, seed: int, rib_free: bool = False) -> PhantomCase:
    """Draw one image of `size` pixels a side, with its masks and boxes, and its rib-free twin where asked for.

    Raises:
        UserError: `size` below 32, or a finding that is not in FINDINGS.
    """
    _check(request, size)
    child = request.age < ADULT_AGE
    lateral = request.view == "lateral"
    anatomy = draw_anatomy(_stream(seed, _ANATOMY, request.patient), request.age, request.sex)
    posture = draw_posture(
        _stream(seed, _POSTURE, request.patient, request.study, lateral), size, request.portable, child
    )
    growth = 0.0
    if "cardiomegaly" in request.findings:
        growth = heart_growth(draw_severity(_finding_stream(seed, request, "cardiomegaly", 0)))
    build = build_lateral if lateral else build_frontal
    healthy = build(anatomy, posture, _stream(seed, _TISSUE, patient, lateral), growth)
    geometry = Geometry(posture.frame, posture.tilt, _stream(seed, _GEOMETRY, patient, study, lateral))
    scene, lesions = _with_findings(healthy, request, seed, geometry)

    scanner = draw_scanner(
        _stream(seed, _SCANNER, request.patient, request.study, request.image), request.portable, child
    )
    levels = tone_levels(healthy.soft, sum(lung.air for lung in healthy.lungs), scanner, posture.frame)

    def develop(attenuation: np.ndarray, stream: int) -> np.ndarray:
        noise = _stream(seed, stream, patient, study, image)
        return burn_in(expose(geometry.warp(attenuation), levels, scanner, posture.frame, noise), scanner)

    return PhantomCase(
        request=request,
        pixels=develop(scene.soft + scene.bones, _NOISE),
        rib_free=develop(scene.soft, _TWIN_NOISE) if rib_free else None,
        boxes=tuple((name, *_box(mask)) for name, mask in lesions),
        masks=tuple(lesions),
    )


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
        _check(request, size)
    job = _Job(size, seed, rib_free)
    workers = min(workers or _cores(), len(plan) // (2 * _CHUNK))
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


_CHUNK = 8


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


def _check(request: PhantomRequest, size: int) -> None:
    if size < SMALLEST:
        raise UserError(f"phantom size={size} is too small; the least is {SMALLEST} pixels")
    unknown = sorted(set(request.findings) - set(FINDINGS))
    if unknown:
        raise UserError(f"phantom findings {', '.join(unknown)} are unknown; known: {', '.join(FINDINGS)}")


def _stream(*key: int) -> np.random.Generator:
    return np.random.default_rng([int(part) for part in key])


def _finding_stream(
    seed: int, request: PhantomRequest, name: str, occurrence: int, attempt: int
) -> np.random.Generator:
    lateral = request.view == "lateral"
    number = FINDINGS.index(name)
    return _stream(seed, _FINDING, request.patient, request.study, number, occurrence, lateral, attempt)


_ATTEMPTS = 6


def _with_findings(
    scene: Scene, request: PhantomRequest, seed: int, geometry: Geometry
) -> tuple[Scene, list[tuple[str, np.ndarray]]]:
    lesions: list[tuple[str, np.ndarray]] = []
    for position, name in enumerate(request.findings):
        if name == "cardiomegaly":
            mask = geometry.warp(scene.heart) > 127
            lesions.append((name, mask))
            continue
        occurrence = request.findings[:position].count(name)
        effect, masks = _on_film(scene, request, seed, name, occurrence, geometry)
        scene = apply(scene, effect)
        lesions.extend((name, mask) for mask in masks)
    return scene, lesions


def _on_film(
    scene: Scene, request: PhantomRequest, seed: int, name: str, occurrence: int, geometry: Geometry
) -> tuple[Effect, list[np.ndarray]]:
    """The first drawn effect of which something lies on the film."""
    severity = draw_severity(_finding_stream(seed, request, name, occurrence))
    least = max(4, scene.frame.size**2 // 8000)
    best: tuple[Effect, list[np.ndarray]] | None = None
    for attempt in range(1, _ATTEMPTS + 1):
        effect = PAINTERS[name](scene, _finding_stream(seed, request, name, occurrence, attempt), severity)
        masks = [geometry.warp(region.astype(np.float32)) > 0.5 for region in effect.regions]
        seen = [mask for mask in masks if mask.any()]
        if sum(int(mask.sum()) for mask in seen) >= least:
            return effect, seen
        if best is None or len(seen) > len(best[1]):
            best = effect, seen
        severity = 0.5 + 0.5 * severity
    assert best is not None
    return best


def _box(mask: np.ndarray) -> tuple[float, float, float, float]:
    """Tight box (x1, y1, x2, y2) around `mask`; x2 and y2 are the far edges of the last pixels."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
