"""Broken ribs and things that medicine put in: lines, tubes, pacemakers, wires, electrodes."""

from __future__ import annotations

import cv2
import numpy as np

from .effect import Effect, distance
from .fields import Frame, ellipse, fading, smoothstep, spline
from .scene import Scene


def fracture(scene: Scene, rng: np.random.Generator, severity: float) -> Effect:
    """A rib with a step and a gap, or with a knob of callus where it has healed."""
    frame = scene.frame
    rib, at = _break(scene, rng)
    centre = (float(rib[at, 0]), float(rib[at, 1]))
    along = rib[min(at + 1, len(rib) - 1)] - rib[at - 1]
    along = along / max(float(np.linalg.norm(along)), 1e-9)
    across = np.array([-along[1], along[0]])
    radius = scene.rib_width * rng.uniform(1.5, 2.2)
    near = np.clip(1.25 - distance(frame, centre, (radius, radius)), 0, 1)
    forward = (frame.x - np.float32(centre[0])) * np.float32(along[0])
    forward = forward + (frame.y - np.float32(centre[1])) * np.float32(along[1])
    step = across * scene.rib_width * (0.3 + 0.5 * severity) * rng.choice([-1, 1])
    moved = _shifted(scene.bones, frame, step)
    half = smoothstep(forward / np.float32(0.004))
    bone = (moved - scene.bones) * half * near
    gap = fading(np.square(forward / np.float32(0.005))) * near
    # A fresh break has a gap, a healed one a knob of callus.
    if rng.random() < 0.5:
        bone -= gap * scene.bones * np.float32(0.6 + 0.4 * severity)
    else:
        knob = distance(frame, centre, (scene.rib_width * 0.9, scene.rib_width * 0.8))
        bone += fading(np.square(knob)) * np.float32(0.16 + 0.26 * severity)
    return Effect((near * np.float32(1.2),), bone=bone)


def _break(scene: Scene, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """A rib [P, 2] and the number of the point where it breaks: of a few drawn at random the one best seen."""
    ribs = rng.integers(len(scene.ribs), size=6)
    points = (rng.uniform(0.45, 0.92, 6) * (scene.ribs.shape[1] - 1)).astype(int)
    columns, rows = np.rint(scene.frame.pixels(scene.ribs[ribs, points])).astype(int).T
    last = scene.frame.size - 1
    seen = scene.bones[np.clip(rows, 0, last), np.clip(columns, 0, last)]
    seen = seen * sum(lung.air[np.clip(rows, 0, last), np.clip(columns, 0, last)] + 0.1 for lung in scene.lungs)
    best = int(np.argmax(seen * ((columns == np.clip(columns, 0, last)) & (rows == np.clip(rows, 0, last)))))
    return scene.ribs[ribs[best]], int(points[best])


def _shifted(field: np.ndarray, frame: Frame, step: np.ndarray) -> np.ndarray:
    move = np.array([[1, 0, step[0] * frame.length(1.0)], [0, 1, step[1] * frame.length(1.0)]], np.float32)
    return cv2.warpAffine(
        field, move, (frame.size, frame.size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def device(scene: Scene, rng: np.random.Generator, severity: float) -> Effect:
    """One to three of: central line, tracheal tube, gastric tube, pacemaker, sternal wires, electrodes."""
    kinds = [_central_line, _tracheal_tube, _gastric_tube, _pacemaker, _sternal_wires, _electrodes]
    chosen = rng.permutation(len(kinds))[: 1 + int(severity * 2.2)]
    added = np.zeros((scene.frame.size, scene.frame.size), np.float32)
    regions = []
    for kind in chosen:
        canvas, strength = kinds[int(kind)](scene, rng)
        drawn = scene.frame.blur(canvas.astype(np.float32), 0.0012) * np.float32(1 / 255)
        added += drawn * np.float32(strength)
        regions.append(drawn * np.float32(2.2))
    return Effect(tuple(regions), added=added)


def _central_line(scene: Scene, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    frame, lung = scene.frame, scene.lungs[int(rng.integers(len(scene.lungs)))]
    top, x = lung.apex[1], scene.spine_x
    end = (x - 0.045 + rng.normal(0, 0.006), top + rng.uniform(0.18, 0.3))
    if rng.random() < 0.5:
        start, bend = (x + lung.side * rng.uniform(0.28, 0.42), top - 0.02), (x + lung.side * 0.10, top + 0.05)
    else:
        start, bend = (x + lung.side * rng.uniform(0.06, 0.11), top - 0.3), (x + lung.side * 0.05, top - 0.02)
    middle = (0.6 * bend[0] + 0.4 * end[0], top + 0.11)
    canvas = frame.stroke(frame.canvas(), [spline(np.array([start, bend, middle, end]))], 0.005)
    return canvas, rng.uniform(0.14, 0.35)


def _tracheal_tube(scene: Scene, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    frame, top, x = scene.frame, scene.lungs[0].apex[1], scene.spine_x
    end = top + rng.uniform(0.05, 0.15)
    canvas = frame.canvas()
    for edge in (-0.008, 0.008):
        frame.stroke(canvas, [np.array([(x + edge, -0.3), (x + edge + rng.normal(0, 0.001), end)])], 0.003, 130)
    frame.stroke(canvas, [np.array([(x + 0.003, -0.3), (x + 0.003, end)])], 0.003, 255)
    return canvas, rng.uniform(0.18, 0.4)


def _gastric_tube(scene: Scene, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    frame, lung, x = scene.frame, scene.lungs[-1], scene.spine_x
    base = lung.angle[1]
    wander = rng.normal(0, 0.006, 3)
    points = [(x + wander[0], -0.3), (x + wander[1], lung.hilum[1]), (x + 0.02 + wander[2], base - 0.05)]
    points += [(x + 0.08, base + 0.06), (x + 0.15, base + 0.10)]
    return frame.stroke(frame.canvas(), [spline(np.array(points))], 0.006), rng.uniform(0.15, 0.4)


def _pacemaker(scene: Scene, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    frame, lung, x = scene.frame, scene.lungs[-1], scene.spine_x
    height = lung.angle[1] - lung.apex[1]
    box = (x + lung.side * rng.uniform(0.20, 0.27), lung.apex[1] + rng.uniform(0.05, 0.13))
    canvas = frame.fill(frame.canvas(), [ellipse(box, (rng.uniform(0.032, 0.045), rng.uniform(0.034, 0.048)))], 190)
    frame.fill(canvas, [ellipse((box[0] + 0.005, box[1] + 0.008), (0.02, 0.018))], 255)
    tips = [(x + lung.side * rng.uniform(0.05, 0.13), lung.apex[1] + rng.uniform(0.72, 0.88) * height)]
    if rng.random() < 0.6:
        tips.append((x - lung.side * 0.05, lung.apex[1] + 0.55 * height))
    for tip in tips:
        vein = [(box[0], box[1] - 0.02), (x + lung.side * 0.09, lung.apex[1] + 0.04)]
        vein += [
            (x - lung.side * 0.04, lung.apex[1] + 0.25 * height),
            (x - lung.side * 0.05, lung.apex[1] + 0.6 * height),
            tip,
        ]
        frame.stroke(canvas, [spline(np.array(vein))], 0.0042, 150)
        frame.fill(canvas, [ellipse(tip, (0.006, 0.006), n=10)], 220)
    return canvas, rng.uniform(1.0, 1.8)


def _sternal_wires(scene: Scene, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    frame, lung, x = scene.frame, scene.lungs[0], scene.spine_x
    height = lung.angle[1] - lung.apex[1]
    canvas = frame.canvas()
    for t in np.linspace(0.18, 0.85, rng.integers(4, 8)):
        ring = ellipse((x + rng.normal(0, 0.004), lung.apex[1] + t * height), (0.016, 0.011), rng.normal(0, 0.3), n=16)
        frame.stroke(canvas, [np.concatenate([ring, ring[:1]])], 0.0032)
    return canvas, rng.uniform(0.4, 0.9)


def _electrodes(scene: Scene, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    frame = scene.frame
    canvas = frame.canvas()
    for lung in scene.lungs:
        for t in (0.1, 0.8)[: rng.integers(1, 3)]:
            height = lung.angle[1] - lung.apex[1]
            x = scene.spine_x + lung.side * rng.uniform(0.16, 0.33)
            y = lung.apex[1] + (t + rng.normal(0, 0.06)) * height
            frame.fill(canvas, [ellipse((x, y), (0.011, 0.009), n=16)], 255)
            wire = [(x, y), (x + rng.normal(0, 0.08), y + 0.15), (x + rng.normal(0, 0.15), y + 0.5)]
            frame.stroke(canvas, [spline(np.array(wire))], 0.003, 110)
    return canvas, rng.uniform(0.35, 0.9)
