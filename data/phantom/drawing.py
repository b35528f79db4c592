"""Draws one phantom image from its seed, patient, study and image number alone."""

from __future__ import annotations

import numpy as np

from ...foundation.errors import UserError
from .anatomy import ADULT_AGE, draw_anatomy, draw_posture
from .burnin import burn_in
from .case import FINDINGS, PhantomCase, PhantomRequest
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
    check(request, size)
    patient, study, image = request.patient, request.study, request.image
    lateral = request.view == "lateral"
    child = request.age < ADULT_AGE
    anatomy = draw_anatomy(_stream(seed, _ANATOMY, patient), request.age, request.sex)
    posture = draw_posture(_stream(seed, _POSTURE, patient, study, lateral), size, request.portable, child)
    growth = 0.0
    if "cardiomegaly" in request.findings:
        growth = heart_growth(draw_severity(_finding_stream(seed, request, "cardiomegaly", 0)))
    build = build_lateral if lateral else build_frontal
    healthy = build(anatomy, posture, _stream(seed, _TISSUE, patient, lateral), growth)
    geometry = Geometry(posture.frame, posture.tilt, _stream(seed, _GEOMETRY, patient, study, lateral))
    scene, lesions = _with_findings(healthy, request, seed, geometry)

    scanner = draw_scanner(_stream(seed, _SCANNER, patient, study, image), request.portable, child)
    air = np.sum([lung.air for lung in healthy.lungs], axis=0)
    levels = tone_levels(healthy.soft, air, scanner, posture.frame)

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


def check(request: PhantomRequest, size: int) -> None:
    """Raise UserError where `draw` cannot draw this."""
    if size < SMALLEST:
        raise UserError(f"phantom size={size} is too small; the least is {SMALLEST} pixels")
    unknown = sorted(set(request.findings) - set(FINDINGS))
    if unknown:
        raise UserError(f"phantom findings {', '.join(unknown)} are unknown; known: {', '.join(FINDINGS)}")


def _stream(*key: int) -> np.random.Generator:
    return np.random.default_rng([int(part) for part in key])


def _finding_stream(
    seed: int, request: PhantomRequest, name: str, occurrence: int, attempt: int = 0
) -> np.random.Generator:
    # Attempt 0 draws the severity, the same in all views of a study; the others draw place and shape.
    lateral = attempt > 0 and request.view == "lateral"
    number = FINDINGS.index(name)
    return _stream(seed, _FINDING, request.patient, request.study, number, occurrence, lateral, attempt)


_ATTEMPTS = 6


def _with_findings(
    scene: Scene, request: PhantomRequest, seed: int, geometry: Geometry
) -> tuple[Scene, list[tuple[str, np.ndarray]]]:
    lesions: list[tuple[str, np.ndarray]] = []
    for position, name in enumerate(request.findings):
        if name == "cardiomegaly":
            heart = geometry.warp(scene.heart) > 127
            lesions += [(name, heart)] if heart.any() else []
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
