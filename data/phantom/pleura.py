"""Findings between lung and chest wall: fluid and air."""

from __future__ import annotations

import numpy as np

from .effect import Effect, filled_region
from .fields import clouds, fading, smoothstep
from .scene import Lung, Scene


def effusion(scene: Scene, rng: np.random.Generator, severity: float) -> Effect:
    """Fluid that blunts the costophrenic angle and climbs the wall in a meniscus, on one side or both."""
    frame = scene.frame
    lungs = list(scene.lungs)
    if len(lungs) > 1 and rng.random() > 0.3:
        lungs = [lungs[int(rng.integers(2))]]
    fill, regions = np.zeros((frame.size, frame.size), np.float32), []
    for lung in lungs:
        own = _fluid(scene, lung, rng, float(np.clip(severity * rng.uniform(0.8, 1.2), 0.03, 1)))
        fill += own
        regions.append(filled_region(frame, lung, own, 0.25))
    return Effect(tuple(regions), fill=fill)


def _fluid(scene: Scene, lung: Lung, rng: np.random.Generator, severity: float) -> np.ndarray:
    frame = scene.frame
    height = lung.angle[1] - lung.apex[1]
    level = lung.angle[1] - height * (0.075 + 0.36 * severity**1.4)
    from_wall = (lung.wall - frame.x) * np.float32(lung.side)
    climb = np.float32(0.03 + 0.05 * severity)
    width = np.float32(0.05 + 0.06 * severity)
    # Small effusions lie in the angle only: away from the wall the surface drops below the dome.
    sink = np.float32(0.10 * (1 - severity))
    surface = (
        np.float32(level)
        - climb * fading(np.maximum(from_wall, 0) / np.float32(0.025))
        + sink * smoothstep(from_wall / width - 1)
    )
    surface = surface + np.float32(0.006) * clouds(rng, frame.size, 4, 8)
    fluid = smoothstep((frame.y - surface) / np.float32(0.018 + 0.05 * severity))
    return fluid * np.clip(lung.air * 20, 0, 1) * np.float32(min(0.95, rng.uniform(0.5, 0.85) + 0.2 * severity))


def pneumothorax(scene: Scene, rng: np.random.Generator, severity: float) -> Effect:
    """Air between lung and wall, widest at the apex: a thin pleural line and no vessels beyond it."""
    frame = scene.frame
    lung = scene.lungs[int(rng.integers(len(scene.lungs)))]
    height = lung.angle[1] - lung.apex[1]
    t = (frame.y - np.float32(lung.apex[1])) / np.float32(height)
    gap_top = np.float32(0.06 + 0.30 * severity)
    reach = np.float32(0.30 + 0.8 * severity)
    half = np.float32(abs(lung.angle[0] - lung.medial[-1, 0]))
    shrink = gap_top * np.exp(-((np.clip(t, 0, None) / reach) ** 2)) + np.float32(0.10 * severity)
    lung_wall = (lung.wall - np.float32(0.5)) - np.float32(lung.side) * shrink * half
    outside = (frame.x - np.float32(0.5) - lung_wall) * np.float32(lung.side)
    # The collapsed lung's own apex: a round cap below the chest's.
    cap = np.float32(lung.apex[1]) + gap_top * np.float32(0.55 * height)
    cap = cap + np.float32(0.16) * ((frame.x - np.float32(lung.apex[0])) / half) ** 2
    outside = np.maximum(outside, cap - frame.y)
    outside = outside + np.float32(0.003) * clouds(rng, frame.size, 4, 8)
    edge = np.float32(1.5 / frame.length(1.0))
    free = smoothstep(outside / edge) * np.clip(lung.air * 12, 0, 1)
    line = fading(np.square(outside / np.float32(0.0028))) * np.clip(lung.air * 4, 0, 1)
    collapsed = (1 - free) * lung.air * np.float32(0.02 + 0.16 * severity * severity)
    # Free air lacks the quarter of tissue that an open lung holds.
    lost = free * (scene.vessels * np.float32(0.9) + lung.air * np.float32(0.10 + 0.12 * severity))
    return Effect((free,), added=line * np.float32(0.05 + 0.05 * rng.uniform()) + collapsed - lost)
