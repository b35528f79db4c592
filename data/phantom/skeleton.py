"""Bones of the frontal view: ribs, clavicles, scapulae, arms and spine."""

from __future__ import annotations

import numpy as np

from .anatomy import Anatomy, Posture
from .fields import Frame, ellipses, spline

_RIBS = 10
_POINTS = 22


def rib_lines(anatomy: Anatomy, wall: np.ndarray, wall_y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre lines of the ribs of both sides: posterior [20, P, 2] and anterior [20, P, 2].

    A rib is a tilted ring around the chest seen from the front: it leaves the spine level, goes
    down along the chest wall and comes back lower in front. `wall` [S] is the half-width of the
    chest at the rows `wall_y` [S].
    """
    rib = np.arange(_RIBS)
    pitch = (anatomy.angle_y - anatomy.apex_y) / (9.0 if not anatomy.child else 8.6)
    top = anatomy.apex_y - 0.01 + (rib + 0.25 * anatomy.rib_phase) * pitch
    drop = anatomy.rib_drop * np.minimum(1.0, 0.45 + 0.14 * rib)
    half = np.interp(top + 0.42 * drop, wall_y, wall)
    half = np.maximum(half, 0.26 * anatomy.half_width + 0.02) * 1.012
    posterior = _ring(np.linspace(0.02, 0.5 * np.pi + 0.25, _POINTS), top, drop, half)
    anterior = _ring(np.linspace(0.5 * np.pi - 0.05, 0.80 * np.pi, _POINTS), top, drop, half)
    return posterior, anterior


def _ring(angle: np.ndarray, top: np.ndarray, drop: np.ndarray, half: np.ndarray) -> np.ndarray:
    across = 0.022 + (half[:, None] - 0.022) * np.sin(angle)[None, :] ** 0.9
    down = top[:, None] + drop[:, None] * (0.5 * (1 - np.cos(angle)) - 0.02 * np.sin(2 * angle))[None, :]
    right = np.stack([0.5 - across, down], axis=-1)
    left = np.stack([0.5 + across, down], axis=-1)
    return np.concatenate([right, left])


def bands(lines: np.ndarray, width: np.ndarray | float) -> np.ndarray:
    """Outlines [R, 2 P, 2] of bands of `width` (number, [P] or [R, P]) around the lines [R, P, 2]."""
    along = np.gradient(lines, axis=1)
    along /= np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-9)
    across = np.stack([-along[..., 1], along[..., 0]], axis=-1) * (0.5 * np.asarray(width))[..., None]
    return np.concatenate([lines + across, (lines - across)[:, ::-1]], axis=1)


def draw_ribs(frame: Frame, anatomy: Anatomy, posterior: np.ndarray, anterior: np.ndarray) -> np.ndarray:
    """Attenuation of the ribs [S, S]: a marrow band with a brighter cortex on both edges."""
    taper = np.interp(np.linspace(0, 1, _POINTS), [0, 0.15, 0.8, 1], [0.65, 1, 1, 0.85])
    out = np.zeros((frame.size, frame.size), np.float32)
    for lines, width, strength in ((posterior, 0.82, 1.0), (anterior, 1.0, 0.5)):
        shape = bands(lines, anatomy.rib_width * width * taper)
        # Right and left ribs meet at the spine only, so that one side never overlaps itself.
        marrow = frame.fill(frame.canvas(), list(shape))
        edges = frame.canvas()
        half = shape.shape[1] // 2
        frame.stroke(edges, list(shape[:, :half]), 0.0035, int(110 * anatomy.cortex))
        frame.stroke(edges, list(shape[:, half:]), 0.0035, int(150 * anatomy.cortex))
        out += marrow * np.float32(0.75 * strength / 255) + edges * np.float32(1.25 * strength / 255)
    return frame.blur(out, 0.0014) * np.float32(0.21 * anatomy.rib_strength)


def draw_girdle(frame: Frame, anatomy: Anatomy, posture: Posture) -> np.ndarray:
    """Attenuation of clavicles, scapulae and upper arm bones [S, S]."""
    clavicle, scapula, edges = frame.canvas(), frame.canvas(), frame.canvas()
    for side in (-1, 1):
        line = _clavicle(anatomy, posture, side)
        width = np.interp(np.linspace(0, 1, len(line)), [0, 0.12, 0.5, 1], [1.3, 1.0, 0.8, 1.05])
        shape = bands(line[None], 0.024 * width)[0]
        frame.fill(clavicle, [shape], 150)
        frame.stroke(edges, [shape[: len(line)], shape[len(line) :]], 0.003, 130)
        blade, rim, arm = _scapula(anatomy, posture, side)
        frame.fill(scapula, [blade], 60)
        frame.stroke(edges, rim, 0.004, 100)
        frame.fill(scapula, [arm], 150)
        frame.stroke(edges, [arm], 0.004, 110)
    total = clavicle.astype(np.float32) + scapula + edges
    return frame.blur(total, 0.0018) * np.float32(0.78 / 255 * (0.5 + 0.5 * anatomy.rib_strength))


def _clavicle(anatomy: Anatomy, posture: Posture, side: int) -> np.ndarray:
    inner = anatomy.apex_y + anatomy.clavicle_y + 0.02
    lift = 0.055 + anatomy.shoulder_drop * -0.6
    reach = anatomy.half_width * (0.98 + 0.5 * anatomy.scapula_out)
    points = np.array(
        [
            (0.028, inner),
            (0.10, inner - 0.012),
            (0.45 * reach, inner - 0.5 * lift),
            (0.75 * reach, inner - lift),
            (reach, inner - 0.85 * lift),
        ]
    )
    return spline(np.stack([0.5 + side * points[:, 0] + posture.rotation, points[:, 1]], axis=1), 6)


def _scapula(anatomy: Anatomy, posture: Posture, side: int) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    top = anatomy.apex_y + 0.02 + anatomy.shoulder_drop * 0.5
    joint = anatomy.half_width + 0.035 + 0.5 * anatomy.scapula_out
    inner = joint - 0.12 + anatomy.scapula_out
    tip = top + 0.30

    def place(points: list[tuple[float, float]]) -> np.ndarray:
        array = np.asarray(points)
        return np.stack([0.5 + side * array[:, 0], array[:, 1]], axis=1)

    medial = place(
        [(inner + 0.015, top + 0.03), (inner, top + 0.13), (inner + 0.012, tip - 0.06), (inner + 0.035, tip)]
    )
    lateral = place([(inner + 0.035, tip), (joint - 0.02, tip - 0.13), (joint - 0.005, top + 0.075)])
    spine = place([(inner + 0.01, top + 0.09), (joint - 0.03, top + 0.035), (joint + 0.035, top - 0.015)])
    blade = np.concatenate([spline(medial), spline(lateral)])
    head = (0.5 + side * (joint + 0.03), top + 0.045)
    down = 0.5 * np.pi - side * (0.10 + 0.35 * posture.arms * 0.4)
    if anatomy.arms_up:
        down = -0.5 * np.pi + side * 0.75
    along = np.array([np.cos(down), np.sin(down)])
    across = np.array([-along[1], along[0]])
    turn = np.linspace(np.pi / 2, 3 * np.pi / 2, 12)
    ball = np.asarray(head) + 0.034 * (np.cos(turn)[:, None] * along + np.sin(turn)[:, None] * across)
    shaft = np.asarray(head) + np.array([0.1, 0.6, 0.6, 0.1])[:, None] * along
    shaft += np.array([-0.017, -0.016, 0.016, 0.017])[:, None] * across
    arm = np.concatenate([ball, shaft])
    return blade, [spline(medial), spline(lateral), spline(spine)], arm


def draw_spine(frame: Frame, anatomy: Anatomy, offset: float) -> np.ndarray:
    """Attenuation of the spine [S, S]: vertebral bodies, discs, pedicles and spinous processes."""
    pitch = (anatomy.angle_y - anatomy.apex_y) / (9.0 if not anatomy.child else 8.6)
    centres = np.arange(-4, 16) * pitch + anatomy.apex_y + 0.3 * pitch
    # Bodies grow downwards.
    half = anatomy.spine_width * np.interp(centres, [0.0, 0.9], [0.82, 1.12])
    bodies, marks = frame.canvas(), frame.canvas()
    corners = np.array([(-1, -0.42), (-0.86, 0.0), (-1, 0.42), (1, 0.42), (0.86, 0.0), (1, -0.42)])
    size = np.stack([half, np.full_like(half, pitch)], axis=1)
    middle = np.stack([np.full_like(half, 0.5 + offset), centres], axis=1)
    shapes = corners[None] * size[:, None] + middle[:, None]
    frame.fill(bodies, list(shapes), 255)
    frame.stroke(marks, [s[2:4] for s in shapes] + [s[[5, 0]] for s in shapes], 0.003, 90)
    for side in (-1, 1):
        pedicle = ellipses(middle + size * np.array([0.62 * side, -0.1]), size * np.array([0.17, 0.16]))
        frame.stroke(marks, np.concatenate([pedicle, pedicle[:, :1]], axis=1), 0.003, 90)
    frame.fill(marks, ellipses(middle + size * np.array([0, 0.35]), size * np.array([0.12, 0.2])), 110)
    column = np.clip(1 - ((frame.x - 0.5 - offset) / (1.3 * anatomy.spine_width)) ** 2, 0, 1)
    texture = frame.blur(bodies.astype(np.float32) + 1.1 * marks, 0.003) * np.float32(0.45 / 255)
    return (0.75 * column + texture) * np.float32(0.29 * anatomy.spine_strength)
