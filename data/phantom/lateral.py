"""The lateral view: both lungs over each other, heart in front, spine behind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .anatomy import Anatomy, Posture
from .fields import clouds, ellipse, fading, profile, rounded, smoothstep, spline
from .scene import PER_CM, Lung, Scene
from .skeleton import bands
from .vessels import draw_vessels, grow

# Knots of the chest's front and back: (height from apex 0 to base 1, distance from the mid-line).
_FRONT = [(-0.4, 0.05), (0.0, 0.05), (0.15, 0.13), (0.5, 0.235), (1.0, 0.27), (1.5, 0.26)]
_BACK = [(-0.4, 0.06), (0.0, 0.10), (0.2, 0.225), (0.5, 0.285), (0.9, 0.27), (1.5, 0.22)]
_SPINE = [(-0.5, 0.0), (-0.1, 0.06), (0.2, 0.17), (0.5, 0.215), (0.9, 0.20), (1.2, 0.14), (1.5, 0.1)]


def build_lateral(anatomy: Anatomy, posture: Posture, rng: np.random.Generator, heart_growth: float = 0.0) -> Scene:
    """The body of `anatomy` seen from the side; the arguments are those of `build_frontal`."""
    frame, a = posture.frame, anatomy
    vessel_rng, texture_rng = rng.spawn(2)
    lung = _lung(a, posture)
    heart = frame.fill(frame.canvas(), [_heart(a, posture, lung, heart_growth)])
    full = float(lung.air.max())
    shadow = frame.solid(heart, 0.025, rim=0.5)
    lung = _thinner(lung, 1 - np.float32(0.55) * shadow)

    height = lung.angle[1] - lung.apex[1]
    trees = [grow(vessel_rng, lung.hilum, 0, (0.2, 0.45 * height), trunks=9)]
    present = np.clip(lung.air / np.float32(0.6 * full), 0, 1)
    vessels = draw_vessels(frame, trees) * present**2 * np.float32(0.32 * a.vessel_strength)
    root = fading(np.square((frame.x - lung.hilum[0]) / 0.04) + np.square((frame.y - lung.hilum[1]) / 0.04))
    soft = _body(a, posture, lung) * (1 + np.float32(0.02) * clouds(texture_rng, frame.size, 4, 32))
    soft -= lung.air * (1 + np.float32(0.03 * a.texture) * clouds(texture_rng, frame.size, 16, 128, 0.8))
    soft += vessels + root * np.float32(0.3 * a.hilum_size) + _aorta(a, posture, lung) - _trachea(posture, lung)
    soft += _spine(a, posture, lung)
    ribs = _ribs(a, posture, lung)
    bones = _draw_ribs(a, posture, ribs) + _sternum(a, posture, lung)
    soft = np.maximum(soft, 0)
    return Scene(frame, soft, bones, vessels, (lung,), heart, ribs, a.rib_width, lung.hilum[0] - posture.facing * 0.02)


def _height(posture: Posture, anatomy: Anatomy) -> tuple[float, float]:
    top = anatomy.apex_y + 0.01
    return top, (anatomy.angle_y + posture.inspiration - top) * 1.12


def _width(anatomy: Anatomy) -> float:
    """Depth of the chest relative to the one in the knots above."""
    return 1.15 * anatomy.half_width / 0.35 * (1 + 0.01 * (anatomy.chest_depth - 21))


def _lung(anatomy: Anatomy, posture: Posture) -> Lung:
    frame, a = posture.frame, anatomy
    side = posture.facing
    top, height = _height(posture, a)
    wide = _width(a)
    t = (frame.y - np.float32(top)) / np.float32(height)
    front, back = profile(_FRONT, t) * np.float32(wide), profile(_BACK, t) * np.float32(wide)
    across = np.float32(side) * (frame.x - np.float32(0.5))
    base = top + height
    rise = 1.7 * a.dome_rise * (1 + 2 * posture.inspiration)
    ahead = np.clip((-across + 0.02) / 0.27, 0, 1.2)
    behind = np.clip((across - 0.02) / 0.27, 0, 1.2)
    dome = base - rise + rise * behind ** np.float32(a.dome_sharpness) + 0.35 * rise * ahead**2
    edge = np.float32(1.3 / frame.length(1.0))
    inside = smoothstep((back - across) / edge) * smoothstep((across + front) / edge)
    # The domes of both sides lie at slightly different heights.
    gap = np.float32(max(abs(a.dome_gap), 0.006))
    inside = inside * 0.5 * (smoothstep((dome - frame.y) / edge) + smoothstep((dome - gap - frame.y) / edge))
    middle, half = 0.5 * (back - front), 0.5 * (back + front)
    depth = rounded(1 - np.square((across - middle) / (1.04 * half)))
    depth = depth * np.sqrt(np.clip(1 - np.clip(1 - t / 0.3, 0, 1) ** 2, 0, 1)) * (t > 0)
    air = inside * depth * np.float32(0.72 * PER_CM * 1.25 * a.lung_depth)
    return Lung(
        side=side,
        air=air,
        wall=0.5 + side * back,
        medial=0.5 - side * front,
        dome=dome,
        apex=(0.5 + side * 0.03, top),
        hilum=(0.5 + side * 0.02, top + 0.40 * height),
        angle=(0.5 + side * 0.26 * wide, base),
    )


def _thinner(lung: Lung, keep: np.ndarray) -> Lung:
    return replace(lung, air=lung.air * keep)


def _outline(posture: Posture, lung: Lung, points: list[tuple[float, float]] | np.ndarray) -> np.ndarray:
    """Body coordinates of (distance behind the mid-line, height from apex 0 to base 1)."""
    array = np.asarray(points, dtype=np.float64)
    y = lung.apex[1] + array[:, 1] * (lung.angle[1] - lung.apex[1])
    return np.stack([0.5 + posture.facing * array[:, 0], y], axis=1)


def _heart(anatomy: Anatomy, posture: Posture, lung: Lung, growth: float) -> np.ndarray:
    big = (anatomy.heart_ratio + growth) / 0.45
    points = [
        (-0.17, 0.45),
        (-0.04, 0.40),
        (-0.02 + 0.09 * big, 0.55),
        (-0.03 + 0.12 * big, 0.72),
        (-0.02 + 0.09 * big, 0.88),
        (-0.12, 0.97),
        (-0.26, 0.94),
        (-0.27, 0.78),
        (-0.24, 0.60),
    ]
    return spline(_outline(posture, lung, points), 6, closed=True)


def _body(anatomy: Anatomy, posture: Posture, lung: Lung) -> np.ndarray:
    frame, a = posture.frame, anatomy
    top, height = _height(posture, a)
    t = (frame.y - np.float32(top)) / np.float32(height)
    wide = _width(a)
    breast = 0.05 * a.breast
    front = profile(_FRONT, t) * np.float32(wide) + np.float32(0.035 + 0.02 * a.fat)
    front = front + np.float32(breast) * np.exp(-(((t - np.float32(0.72)) / np.float32(0.16)) ** 2))
    back = profile(_BACK, t) * np.float32(wide) + np.float32(0.05 + 0.025 * a.fat)
    across = np.float32(posture.facing) * (frame.x - np.float32(0.5))
    middle, half = 0.5 * (back - front), 0.5 * (back + front)
    width = profile([(-0.4, 10), (-0.1, 13), (0.03, 22), (0.2, 21), (0.5, 22), (1, 23), (1.4, 24)], t)
    width = width * np.float32((a.chest_depth + 12) / 33)
    thickness = width * rounded(1 - np.square(np.square((across - middle) / half)))
    # Raised upper arms in front of the apex.
    canvas = frame.stroke(frame.canvas(), [_outline(posture, lung, [(0.02, 0.05), (-0.24, -0.3)])], 0.13)
    thickness = thickness + frame.solid(canvas, 0.03, rim=0.3) * np.float32(9)
    return thickness * np.float32(PER_CM)


def _aorta(anatomy: Anatomy, posture: Posture, lung: Lung) -> np.ndarray:
    frame = posture.frame
    arch = [(-0.07, 0.45), (-0.055, 0.30), (0.02, 0.23), (0.10, 0.28), (0.135, 0.45), (0.15, 0.95)]
    canvas = frame.stroke(frame.canvas(), [spline(_outline(posture, lung, arch))], 1.1 * anatomy.knob, 150)
    return frame.solid(canvas, 0.012, rim=0.5) * np.float32(0.55)


def _trachea(posture: Posture, lung: Lung) -> np.ndarray:
    frame = posture.frame
    line = _outline(posture, lung, [(-0.03, -0.4), (0.0, 0.0), (0.025, 0.34)])
    canvas = frame.stroke(frame.canvas(), [spline(line)], 0.032, 230)
    return frame.blur(canvas.astype(np.float32), 0.006) * np.float32(0.45 / 255)


def _spine(anatomy: Anatomy, posture: Posture, lung: Lung) -> np.ndarray:
    frame = posture.frame
    t = np.linspace(-0.45, 1.45, 20)
    behind = profile(_SPINE, t)
    line = _outline(posture, lung, list(zip(behind.tolist(), t.tolist(), strict=True)))
    pitch = float(np.abs(np.diff(line[:, 1])).mean())
    half = np.interp(t, [-0.3, 1.3], [0.026, 0.046])
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    corners = np.array([(-1, -0.42), (-0.9, 0), (-1, 0.42), (1, 0.42), (0.9, 0), (1, -0.42)])
    shapes = line[:, None] + corners[None, :, :1] * half[:, None, None] * across[:, None]
    shapes = shapes + corners[None, :, 1:] * pitch * along[:, None]
    bodies = frame.fill(frame.canvas(), list(shapes), 170)
    frame.stroke(bodies, [np.concatenate([s, s[:1]]) for s in shapes], 0.003, 245)
    behind_line = line + across * (half[:, None] * 1.5 * -posture.facing)
    arches = [ellipse((float(p[0]), float(p[1])), (0.018, 0.012), n=12) for p in behind_line]
    frame.fill(bodies, arches, 110)
    return frame.blur(bodies.astype(np.float32), 0.003) * np.float32(0.65 * anatomy.spine_strength / 255)


def _ribs(anatomy: Anatomy, posture: Posture, lung: Lung) -> np.ndarray:
    """Centre lines [R, P, 2] of both sides' ribs, from the spine down to the front."""
    start = np.linspace(0.02, 0.95, 10)
    s = np.linspace(0, 1, 22)[None, :]
    lines = []
    for offset in (0.0, 0.025):
        begin = start[:, None] + offset
        fall = (anatomy.rib_drop * 2.2) * np.minimum(1, 0.5 + 0.12 * np.arange(10))[:, None]
        t = begin + fall * s**1.25 - 0.04 * np.sin(np.pi * np.minimum(3 * s, 1))
        back = profile(_BACK, t) * 0.99 + offset * 0.3
        front = -profile(_FRONT, t) * 0.99
        x = back + (front - back) * np.clip(s * 0.86, 0, 1)
        points = np.stack([x, t], axis=-1)
        lines.append(_outline(posture, lung, points.reshape(-1, 2)).reshape(points.shape))
    return np.concatenate(lines)


def _draw_ribs(anatomy: Anatomy, posture: Posture, lines: np.ndarray) -> np.ndarray:
    frame = posture.frame
    out = np.zeros((frame.size, frame.size), np.float32)
    for half in np.split(lines, 2):
        shape = bands(half, anatomy.rib_width * 0.8)
        canvas = frame.fill(frame.canvas(), list(shape), 90)
        n = shape.shape[1] // 2
        frame.stroke(canvas, [*shape[:, :n], *shape[:, n:]], 0.0035, int(min(255, 190 * anatomy.cortex)))
        out += canvas
    return frame.blur(out, 0.0025) * np.float32(0.2 * anatomy.rib_strength / 255)


def _sternum(anatomy: Anatomy, posture: Posture, lung: Lung) -> np.ndarray:
    frame = posture.frame
    t = np.linspace(0.12, 0.62, 12)
    line = _outline(posture, lung, list(zip((-profile(_FRONT, t) - 0.012).tolist(), t.tolist(), strict=True)))
    canvas = frame.stroke(frame.canvas(), [line], 0.022, 200)
    return frame.blur(canvas.astype(np.float32), 0.004) * np.float32(0.5 / 255)
