"""The frontal view: body, lungs, heart and great vessels, put together as attenuation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .anatomy import Anatomy, Posture
from .fields import Frame, clouds, ellipse, fading, profile, rounded, smoothstep, spline
from .scene import PER_CM, Lung, Scene
from .skeleton import draw_girdle, draw_ribs, draw_spine, rib_lines
from .vessels import draw_vessels, grow


def build_frontal(anatomy: Anatomy, posture: Posture, rng: np.random.Generator, heart_growth: float = 0.0) -> Scene:
    """The body of `anatomy` seen from the front (its right side on the image's left).

    `heart_growth` is added to the ratio of heart width to chest width. `rng` draws what has no name:
    the course of vessels and the texture of tissue; equal generators give equal bodies whatever the rest.
    """
    frame = posture.frame
    vessel_rng, texture_rng, gut_rng = rng.spawn(3)
    lungs = tuple(_lung(anatomy, posture, side) for side in (-1, 1))
    silhouette, heart_outline = _silhouette(anatomy, posture, heart_growth)
    heart = frame.fill(frame.canvas(), [heart_outline])
    shadow = frame.solid(frame.fill(frame.canvas(), [silhouette]), 0.02, rim=0.62)
    lungs = tuple(_behind(lung, shadow) for lung in lungs)
    air = lungs[0].air + lungs[1].air

    vessels = _vessels(anatomy, lungs, frame, vessel_rng)
    present = np.minimum(air / np.float32(0.6 * 0.72 * PER_CM * anatomy.lung_depth), 1)
    vessels = vessels * present
    grain = clouds(texture_rng, frame.size, 16, 128, 0.8)
    tissue = clouds(texture_rng, frame.size, 4, 32, 0.6)
    net = np.abs(clouds(texture_rng, frame.size, 32, 128, 0.9))
    body = _body(anatomy, posture) * (1 + np.float32(0.025) * tissue)
    soft = body - air * (1 + np.float32(0.035 * anatomy.texture) * grain)
    soft += vessels + present * np.float32(0.045 * anatomy.interstitium) * net
    soft += draw_spine(frame, anatomy, posture.rotation * -0.4)
    soft += _great_vessels(anatomy, posture) - _airways(anatomy, posture, lungs)
    soft -= _gas(anatomy, posture, lungs[1], gut_rng)

    rows = frame.y[:, 0]
    wall = np.mean([np.abs(lung.wall[:, 0] - 0.5) for lung in lungs], axis=0)
    posterior, anterior = rib_lines(anatomy, wall, rows)
    # The harder the beam that is left, the less bone stands out: ribs fade below the diaphragm and the heart.
    harder = 0.42 + 0.58 * np.clip(present * 1.5, 0, 1)
    bones = draw_ribs(frame, anatomy, posterior, anterior) * harder + draw_girdle(frame, anatomy, posture)
    bones *= np.clip(body * 2, 0, 1)
    return Scene(
        frame, np.maximum(soft, 0), bones, vessels, lungs, heart, posterior, anatomy.rib_width, 0.5 + posture.rotation
    )


def _body(anatomy: Anatomy, posture: Posture) -> np.ndarray:
    """Attenuation of torso, neck, arms and breasts without lungs and bones."""
    frame, a = posture.frame, anatomy
    top, chest = a.apex_y, a.half_width
    drop = a.shoulder_drop
    torso = chest + 0.06 + 0.035 * a.fat
    shoulder = chest + (0.135 if not a.child else 0.10)
    knots = [
        (-0.30, a.neck * 0.95),
        (top - 0.13, a.neck),
        (top - 0.075 + drop, a.neck + 0.05),
        (top - 0.03 + drop, 0.62 * shoulder),
        (top + 0.025 + drop, 0.93 * shoulder),
        (top + 0.09 + drop, shoulder),
        (top + 0.15, 0.94 * shoulder),
        (top + 0.23, 0.45 * shoulder + 0.55 * torso),
        (top + 0.33, torso + 0.004),
        (top + 0.45, torso),
        (1.3, torso + 0.02 * a.fat),
    ]
    half = profile(knots, frame.y)
    depth = profile(
        [
            (-0.3, 12),
            (top - 0.1, 12.5),
            (top, 0.78 * a.chest_depth),
            (top + 0.2, a.chest_depth),
            (0.75, a.chest_depth * 1.06),
            (1.2, a.chest_depth * 1.1),
        ],
        frame.y,
    )
    centre = frame.x - 0.5
    # Flatter than an ellipse: muscle and shoulder blades fill the corners.
    thickness = depth * rounded(1 - np.square(np.square(centre / half)))
    thickness = np.maximum(thickness, _arms(anatomy, posture)) + _breasts(anatomy, posture)
    return thickness * np.float32(PER_CM)


def _arms(anatomy: Anatomy, posture: Posture) -> np.ndarray:
    """Centimetres of the upper arms: hanging, turned outwards or (some children) raised."""
    frame, a = posture.frame, anatomy
    canvas = frame.canvas()
    thick = 0.105 + 0.02 * a.fat if not a.child else 0.085
    joint = a.half_width + (0.115 if not a.child else 0.085)
    shoulder = a.apex_y + 0.1 + a.shoulder_drop
    for side in (-1, 1):
        out = 0.02 + 0.10 * posture.arms
        elbow = (joint + out, shoulder + 0.7)
        if a.arms_up:
            elbow = (joint + 0.13 + 0.1 * posture.arms, shoulder - 0.45)
        line = np.array([(0.5 + side * joint, shoulder), (0.5 + side * elbow[0], elbow[1])])
        frame.stroke(canvas, [line], thick)
    width = 0.03 if not a.child else 0.022
    return frame.solid(canvas, width, rim=0.2) * np.float32(8.5 + a.fat if not a.child else 5.0)


def _breasts(anatomy: Anatomy, posture: Posture) -> np.ndarray | float:
    if anatomy.breast <= 0:
        return 0.0
    frame, size = posture.frame, anatomy.breast
    y = anatomy.apex_y + anatomy.breast_y * (anatomy.angle_y - anatomy.apex_y)
    canvas = frame.canvas()
    radius = 0.105 + 0.035 * size
    centre = 0.56 * anatomy.half_width + 0.01
    for side in (-1, 1):
        frame.fill(canvas, [ellipse((0.5 + side * centre - posture.rotation, y), (radius, radius * 1.05), 0.0)])
    fold = smoothstep((frame.y - (y - 0.1 * radius)) / np.float32(1.9 * radius))
    return frame.solid(canvas, 0.035, rim=0.22) * fold * np.float32(0.8 + 1.7 * size)


def _lung(anatomy: Anatomy, posture: Posture, side: int) -> Lung:
    """One lung before the heart and vessels are put into it."""
    frame, a = posture.frame, anatomy
    angle_y = a.angle_y + posture.inspiration + (0.008 * side)
    height = angle_y - a.apex_y
    # Turning the patient shows more of one side of the chest and less of the other.
    half = a.half_width * (1 - side * 1.2 * posture.rotation)
    t = (frame.y - a.apex_y) / np.float32(height)
    lateral = np.clip(1 - np.clip(1 - np.clip(t, 0, None) / 0.95, 0, 1) ** 2.3, 0, 1) ** np.float32(a.squareness)
    tip = 0.40 * half
    wall = tip + (half - tip) * lateral
    wall *= 1 - 0.04 * smoothstep((t - 1.0) / 0.5)
    medial = tip - (tip - 0.085 * half) * np.sqrt(np.clip(1 - np.clip(1 - t / 0.17, 0, 1) ** 2, 0, 1))
    across = side * (frame.x - 0.5)

    rise = a.dome_rise * (1 + 2.5 * posture.inspiration)
    peak = 0.52 * half
    dome_y = angle_y - rise - (a.dome_gap if side < 0 else 0.0)
    outer = np.clip((across - peak) / (half - peak), 0, 1.3) ** np.float32(a.dome_sharpness)
    inner = np.clip((peak - across) / peak, 0, 1.3) ** 2
    dome = dome_y + (angle_y - dome_y) * outer + 0.45 * rise * inner

    depth = rounded(1 - np.square(across / (1.03 * wall)))
    depth = depth * np.sqrt(np.clip(1 - np.clip(1 - t / 0.22, 0, 1) ** 2, 0, 1))
    edge = np.float32(1.3 / frame.length(1.0))
    inside = smoothstep((wall - across) / edge) * smoothstep((across - medial) / np.float32(0.012)) * (t > 0)
    # Behind the dome the lung reaches further down, ever thinner.
    below = np.clip(frame.y - dome, 0, None)
    above = smoothstep((dome - frame.y) / np.float32(0.006))
    behind = (
        np.float32(0.20) * fading(below * np.float32(1 / 0.03)) * np.maximum(1 - np.square(np.square(across / wall)), 0)
    )
    inside = inside * (above + (1 - above) * behind)
    # About 72 % of an inflated lung is air.
    air = inside * depth * np.float32(0.72 * PER_CM * a.lung_depth)
    hilum = (0.5 + side * 0.24 * half, a.apex_y + (a.hilum_y + 0.012 * -side) * height)
    return Lung(
        side=side,
        air=air,
        wall=0.5 + side * wall,
        medial=0.5 + side * medial,
        dome=dome,
        apex=(0.5 + side * tip, a.apex_y),
        hilum=hilum,
        angle=(0.5 + side * half, angle_y),
    )


def _behind(lung: Lung, shadow: np.ndarray) -> Lung:
    """`lung` with only what air is left before and behind the heart and the great vessels."""
    return replace(lung, air=lung.air * (1 - np.float32(0.86) * shadow))


def _silhouette(anatomy: Anatomy, posture: Posture, growth: float) -> tuple[np.ndarray, np.ndarray]:
    """Outlines of the mediastinum with the heart, and of the heart alone."""
    a, shift = anatomy, posture.rotation * 0.6
    top = a.apex_y
    bottom = a.angle_y + posture.inspiration
    height = bottom - top
    ratio = a.heart_ratio + growth - 0.35 * posture.inspiration
    width = ratio * 2 * a.half_width
    left = a.heart_left * width
    right = width - left
    base = bottom - a.dome_rise * 0.55 + a.heart_bottom

    def at(t: float) -> float:
        return top + t * height

    sup, knob, thymus = a.superior_width, a.knob, a.thymus
    waist = 0.55 * knob + 0.30 * left
    left_side = [
        (sup * 0.9, at(-0.25)),
        (sup * 0.9, at(0.08)),
        (0.3 * sup + 0.68 * knob + thymus, at(0.165)),
        (knob * 1.03 + thymus, at(0.235)),
        (0.75 * knob + 0.22 * waist + thymus, at(0.30)),
        (0.86 * waist + thymus * 0.6, at(0.365)),
        (1.08 * waist, at(0.44)),
        (0.5 * (waist + left) + 0.02, at(0.55)),
        (0.93 * left, at(0.69)),
        (left, at(0.79)),
        (0.93 * left, base - 0.01),
        (0.6 * left, base + 0.05),
    ]
    right_side = [
        (-0.55 * right, base + 0.05),
        (-0.90 * right, base - 0.02),
        (-right, at(0.70)),
        (-0.93 * right, at(0.58)),
        (-0.62 * right - 0.25 * sup, at(0.46)),
        (-sup * 1.05 - thymus * 0.8, at(0.32)),
        (-sup - 0.5 * thymus, at(0.15)),
        (-sup * 0.95, at(-0.25)),
    ]
    # A mirrored heart (dextrocardia) is left out on purpose: no dataset labels it.
    place = np.array([0.5 + shift, 0.0])
    whole = spline(np.array(left_side + right_side), 5, closed=True) + place
    heart = spline(np.array([(0.02, at(0.36)), *left_side[6:], *right_side[:5]]), 5, closed=True) + place
    return whole, heart


def _great_vessels(anatomy: Anatomy, posture: Posture) -> np.ndarray:
    """The aorta: a denser knob and the line of its descending part."""
    frame, a = posture.frame, anatomy
    height = a.angle_y - a.apex_y
    x, y = 0.5 + posture.rotation * 0.6, a.apex_y + 0.235 * height
    canvas = frame.canvas()
    line = [
        (x + 0.55 * a.knob, y),
        (x + 0.60 * a.knob + 0.5 * a.aorta_shift, y + 0.22 * height),
        (x + 0.42 * a.knob + 0.6 * a.aorta_shift, y + 0.5 * height),
        (x + 0.25 * a.knob, y + 0.95 * height),
    ]
    frame.stroke(canvas, [spline(np.array(line))], 0.75 * a.knob, 120)
    frame.fill(canvas, [ellipse((x + 0.55 * a.knob, y), (0.52 * a.knob, 0.55 * a.knob))], 200)
    return frame.solid(canvas, 0.012, rim=0.5) * np.float32(0.55 if not a.child else 0.2)


def _airways(anatomy: Anatomy, posture: Posture, lungs: tuple[Lung, ...]) -> np.ndarray:
    """Attenuation missing in trachea and main bronchi."""
    frame, a = posture.frame, anatomy
    x = 0.5 + posture.rotation * 0.7 - 0.004
    fork = a.apex_y + 0.31 * (a.angle_y - a.apex_y)
    canvas = frame.canvas()
    wide = 0.032 if not a.child else 0.028
    frame.stroke(canvas, [np.array([(x + 0.005, -0.3), (x + 0.003, a.apex_y), (x, fork)])], wide, 230)
    for lung in lungs:
        middle = (0.5 * (x + lung.hilum[0]), fork + 0.035)
        frame.stroke(canvas, [spline(np.array([(x, fork), middle, lung.hilum]))], 0.62 * wide, 130)
    return frame.blur(canvas.astype(np.float32), 0.006) * np.float32(0.42 / 255)


def _vessels(anatomy: Anatomy, lungs: tuple[Lung, ...], frame: Frame, rng: np.random.Generator) -> np.ndarray:
    a = anatomy
    height = a.angle_y - a.apex_y
    trees = [grow(rng, lung.hilum, lung.side, (0.62 * a.half_width, 0.5 * height)) for lung in lungs]
    canvas = frame.canvas()
    for lung in lungs:
        x, y = lung.hilum
        lower = (x + lung.side * 0.012, y + 0.06)
        frame.fill(canvas, [ellipse((x, y + 0.015), (0.024, 0.05), -0.25 * lung.side)], 210)
        frame.stroke(canvas, [spline(np.array([(x, y - 0.02), (x, y + 0.02), lower]))], 0.022, 255)
    root = frame.blur(canvas.astype(np.float32), 0.012) * np.float32(0.42 * a.hilum_size / 255)
    # Upright, the lower half of the lung has more blood in it.
    gravity = 0.75 + 0.5 * smoothstep((frame.y - lungs[0].hilum[1]) / np.float32(0.5 * height))
    return draw_vessels(frame, trees) * gravity * np.float32(0.31 * a.vessel_strength) + root


def _gas(anatomy: Anatomy, posture: Posture, left: Lung, rng: np.random.Generator) -> np.ndarray | float:
    """Attenuation missing in the stomach bubble and in gut below the diaphragm; often none."""
    frame = posture.frame
    canvas = frame.canvas()
    x = 0.5 + 0.5 * (left.angle[0] - 0.5) + rng.normal(0, 0.02)
    dome = left.angle[1] - anatomy.dome_rise
    if posture.bubble < 0.6:
        radii = (rng.uniform(0.02, 0.075), rng.uniform(0.015, 0.05))
        outline = ellipse((x, dome + 0.025 + radii[1]), radii, rng.normal(0, 0.2))
        outline[:, 1] = np.minimum(outline[:, 1], dome + 0.025 + radii[1] * rng.uniform(1.0, 2.0))
        frame.fill(canvas, [outline], int(rng.uniform(90, 230)))
    for _ in range(rng.integers(0, 5)):
        centre = (rng.uniform(0.3, 0.75), dome + rng.uniform(0.12, 0.4))
        radii = (rng.uniform(0.012, 0.04), rng.uniform(0.01, 0.03))
        frame.fill(canvas, [ellipse(centre, radii, rng.uniform(0, 3))], int(rng.uniform(40, 160)))
    if not canvas.any():
        return 0.0
    return frame.blur(canvas.astype(np.float32), 0.007) * np.float32(0.9 / 255)
