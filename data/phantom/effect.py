"""What one finding does to a body, and where."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .fields import Frame
from .scene import Lung, Scene


@dataclass(frozen=True)
class Effect:
    """One finding as drawn into a scene.

    Attributes:
        regions: one field [S, S] a lesion (or side), above 0.5 where the finding is; never empty.
        fill: fraction of the lung's air that is replaced by fluid or cells, [S, S].
        added: attenuation added to soft tissue (negative: taken away), [S, S].
        bone: attenuation added to bones; a rib-free twin does not show it, [S, S].
    """

    regions: tuple[np.ndarray, ...]
    fill: np.ndarray | None = None
    added: np.ndarray | None = None
    bone: np.ndarray | None = None


def apply(scene: Scene, effect: Effect) -> Scene:
    """`scene` with `effect` in it; filled lung has less air left for the next finding to fill."""
    soft, vessels, lungs = scene.soft, scene.vessels, scene.lungs
    if effect.fill is not None:
        keep = 1 - np.clip(effect.fill, 0, 1)
        filled = tuple(replace(lung, air=lung.air * keep) for lung in lungs)
        gained = sum(before.air - after.air for before, after in zip(lungs, filled, strict=True))
        # Vessels lose their outline where the lung around them is as dense as they are.
        kept = vessels * keep
        soft = soft + gained - (vessels - kept)
        vessels, lungs = kept, filled
    if effect.added is not None:
        soft = np.maximum(soft + effect.added, 0)
    bones = scene.bones if effect.bone is None else np.maximum(scene.bones + effect.bone, 0)
    return replace(scene, soft=soft, vessels=vessels, lungs=lungs, bones=bones)


def relative_air(lung: Lung) -> np.ndarray:
    """Air of `lung` relative to its deepest place, [S, S]."""
    return lung.air / max(float(lung.air.max()), 1e-6)


def filled_region(frame: Frame, lung: Lung, fill: np.ndarray, level: float = 0.25) -> np.ndarray:
    """A region field, above 0.5 where `fill` adds more than `level` of the most it adds to `lung` anywhere."""
    gain = frame.blur(fill * lung.air, 0.006)
    return gain * np.float32(0.5 / max(level * float(gain.max()), 1e-6))


def place(
    scene: Scene, lung: Lung, rng: np.random.Generator, height: tuple[float, float], across: tuple[float, float]
) -> tuple[float, float]:
    """A random point in `lung`: `height` from apex (0) to base (1), `across` from medial (0) to wall (1)."""
    frame = scene.frame
    y = lung.apex[1] + rng.uniform(*height) * (lung.angle[1] - lung.apex[1])
    row = int(np.clip(np.searchsorted(frame.y[:, 0], y), 0, frame.size - 1))
    medial, wall = float(lung.medial[row, 0]), float(lung.wall[row, 0])
    x = medial + rng.uniform(*across) * (wall - medial)
    column = int(np.clip(np.searchsorted(frame.x[0], x), 0, frame.size - 1))
    return x, min(y, float(lung.dome[0, column]) - 0.02)


def distance(frame: Frame, centre: tuple[float, float], radii: tuple[float, float], angle: float = 0.0) -> np.ndarray:
    """Distance [S, S] from `centre` in units of the radii of an ellipse turned by `angle`."""
    x, y = frame.x - np.float32(centre[0]), frame.y - np.float32(centre[1])
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    across = (x * cos + y * sin) * np.float32(1 / radii[0])
    along = (y * cos - x * sin) * np.float32(1 / radii[1])
    return np.sqrt(across * across + along * along)
