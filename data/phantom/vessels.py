"""Lung vessels: trees that branch from the root of the lung and thin out towards the chest wall."""

from __future__ import annotations

import numpy as np

from .fields import Frame

_LEVELS = 5


def grow(
    rng: np.random.Generator, root: tuple[float, float], side: int, reach: tuple[float, float], trunks: int = 8
) -> list[np.ndarray]:
    """Branches of one tree, one array [B, 4, 2] a generation.

    `side` is the direction of the chest wall (+1 right in the image, 0 for both ways); `reach` is how far
    the first generation leads across and down, in body units.
    """
    if side:
        angle = np.linspace(-1.25, 1.4, trunks) + rng.normal(0, 0.12, trunks)
    else:
        angle = np.linspace(-np.pi, np.pi, trunks, endpoint=False) + rng.normal(0, 0.2, trunks)
    stretch = np.array([reach[0] * (side or 1), reach[1]])
    start = np.zeros((trunks, 2))
    start[:, 1] = rng.normal(0, 0.12, trunks) + 0.18 * np.sin(angle)
    length = rng.uniform(0.22, 0.36, trunks)
    generations = []
    for _ in range(_LEVELS):
        bend = rng.normal(0, 0.22, angle.shape)
        steps = angle[:, None] + bend[:, None] * np.array([-0.5, 0.2, 0.9])
        moves = (length / 3)[:, None, None] * np.stack([np.cos(steps), np.sin(steps)], axis=-1)
        branch = start[:, None] + np.concatenate([np.zeros((len(start), 1, 2)), np.cumsum(moves, axis=1)], axis=1)
        generations.append(np.asarray(root) + branch * stretch)
        fork = rng.uniform(0.2, 0.55, (len(start), 2)) * np.array([-1, 1])
        angle = (steps[:, -1, None] + fork).ravel()
        start = np.repeat(branch[:, -1], 2, axis=0)
        length = np.repeat(length, 2) * rng.uniform(0.55, 0.95, len(start))
    return generations


def draw_vessels(frame: Frame, trees: list[list[np.ndarray]], thickness: float = 1.0) -> np.ndarray:
    """The trees as a map [S, S] of about 0 to 1, brighter where vessels are thicker."""
    canvas = frame.canvas()
    for level in reversed(range(_LEVELS)):
        width = thickness * (0.011, 0.008, 0.0058, 0.0042, 0.003)[level]
        lines = [line for tree in trees for line in tree[level]]
        frame.stroke(canvas, lines, width, (225, 185, 145, 105, 75)[level])
    return frame.blur(canvas.astype(np.float32), 0.0022) * np.float32(1 / 255)
