"""Findings inside the lung: nodules, opacities, consolidation, collapse, interstitial disease and edema."""

from __future__ import annotations

import numpy as np

from .effect import Effect, distance, filled_region, place, relative_air
from .fields import clouds, fading, smoothstep, spline
from .scene import PER_CM, Lung, Scene
from .vessels import draw_vessels, grow

# Centimetres across the film.
_FILM_CM = 40.0


def nodule(scene: Scene, rng: np.random.Generator, severity: float) -> Effect:
    """A round shadow of 1 to 3 cm."""
    return _round(scene, rng, 0.013 + 0.022 * severity, 0.5 + 0.7 * severity)


def mass(scene: Scene, rng: np.random.Generator, severity: float) -> Effect:
    """A round or lobed shadow of more than 3 cm."""
    return _round(scene, rng, 0.038 + 0.045 * severity, 0.35 + 0.5 * severity)


def _round(scene: Scene, rng: np.random.Generator, radius: float, contrast: float) -> Effect:
    lung = _pick(scene, rng)
    frame = scene.frame
    centre = place(scene, lung, rng, (0.12, 0.9), (0.15, 0.85))
    stretch = rng.uniform(0.85, 1.18)
    r = distance(frame, centre, (radius * stretch, radius / stretch), rng.uniform(0, np.pi))
    lobes = clouds(rng, frame.size, 16, 32)
    r = r * (1 + np.float32(0.10) * lobes)
    depth = np.sqrt(np.clip(1 - r * r, 0, 1))
    soft = smoothstep((1 - r) / np.float32(rng.uniform(0.2, 0.6)))
    thickness = depth * soft * np.float32(2 * radius * _FILM_CM)
    # Lung behind the wall or the heart hides part of it.
    seen = 0.35 + 0.65 * np.clip(relative_air(lung) * 2, 0, 1)
    return Effect((1.4 - 0.9 * r,), added=thickness * seen * np.float32(PER_CM * 0.8 * contrast))


def opacity(scene: Scene, rng: np.random.Generator, severity: float) -> Effect:
    """One to three patchy, ill-defined shadows."""
    frame = scene.frame
    fill = np.zeros((frame.size, frame.size), np.float32)
    lung = _pick(scene, rng)
    texture = clouds(rng, frame.size, 8, 64, 0.75)
    for _ in range(rng.integers(1, 4)):
        centre = place(scene, lung, rng, (0.2, 0.95), (0.1, 0.9))
        radii = rng.uniform(0.05, 0.09, 2) * (0.8 + 0.6 * severity)
        blob = fading(np.square(distance(frame, centre, (1.2 * radii[0], 1.2 * radii[1]), rng.uniform(0, np.pi))))
        fill = np.maximum(fill, blob)
    fill *= np.clip(0.75 + np.float32(0.4) * texture, 0.15, 1.4) * np.float32(0.12 + 0.48 * severity)
    fill = _only(lung, fill)
    return Effect((filled_region(frame, lung, fill, 0.3),), fill=fill)


def consolidation(scene: Scene, rng: np.random.Generator, severity: float) -> Effect:
    """A lobe or part of it without air, with an edge at a fissure and open bronchi in it; sometimes in both lungs."""
    lungs = list(scene.lungs) if rng.random() < 0.25 else [_pick(scene, rng)]
    fills = [_lobe(scene, lung, rng, severity) for lung in lungs]
    return _joined(scene, lungs, fills)


def _lobe(scene: Scene, lung: Lung, rng: np.random.Generator, severity: float) -> np.ndarray:
    frame = scene.frame
    low = rng.random() < 0.7
    centre = place(scene, lung, rng, (0.62, 0.95) if low else (0.12, 0.5), (0.15, 0.8))
    across, along = rng.uniform(0.11, 0.17), rng.uniform(0.12, 0.18)
    grown = 0.8 + 0.7 * severity
    texture = clouds(rng, frame.size, 8, 32, 0.6)
    r = distance(frame, centre, (across * grown, along * grown), rng.uniform(0, np.pi)) + np.float32(0.16) * texture
    fill = smoothstep((1 - r) / np.float32(rng.uniform(0.5, 1.1)))
    # The fissure: a sharp edge above a lower lobe's consolidation and below an upper lobe's.
    slope = np.float32(lung.side * rng.uniform(-0.1, 0.45))
    over = frame.y - np.float32(centre[1]) - slope * (frame.x - np.float32(centre[0]))
    over = (over if low else -over) + np.float32(rng.uniform(0.4, 1.0) * along * grown)
    fill *= smoothstep(over / np.float32(rng.uniform(0.012, 0.05)))
    tree = [grow(rng, lung.hilum, lung.side, (0.22, 0.28), trunks=7)]
    bronchi = draw_vessels(frame, tree, thickness=0.65)
    fill *= np.float32(0.34 + 0.58 * severity) * (1 - np.float32(0.5) * bronchi)
    return _only(lung, np.clip(fill * (1 + np.float32(0.15) * texture), 0, 0.95))


def atelectasis(scene: Scene, rng: np.random.Generator, severity: float) -> Effect:
    """Plates of collapsed lung near the base, or a collapsed basal segment with a straight upper edge."""
    lungs = list(scene.lungs) if rng.random() < 0.4 else [_pick(scene, rng)]
    paint = _plates if rng.random() < 0.4 else _segment
    return _joined(scene, lungs, [paint(scene, lung, rng, severity) for lung in lungs])


def _segment(scene: Scene, lung: Lung, rng: np.random.Generator, severity: float) -> np.ndarray:
    frame = scene.frame
    height = lung.angle[1] - lung.apex[1]
    x0 = lung.hilum[0]
    top = lung.angle[1] - height * (0.24 + 0.26 * severity)
    tilt = np.float32(lung.side * rng.uniform(0.4, 1.1))
    # A triangle between hilum, dome and heart.
    fill = smoothstep((frame.y - np.float32(top) - tilt * (frame.x - np.float32(x0))) / np.float32(0.02))
    fill *= np.exp(-(((frame.x - np.float32(x0)) / np.float32(0.13 + 0.12 * severity)) ** 2))
    fill *= 1 + np.float32(0.12) * clouds(rng, frame.size, 8, 32)
    return _only(lung, np.clip(fill * np.float32(0.50 + 0.45 * severity), 0, 0.95))


def _plates(scene: Scene, lung: Lung, rng: np.random.Generator, severity: float) -> np.ndarray:
    frame = scene.frame
    canvas = frame.canvas()
    for _ in range(rng.integers(2, 5)):
        x, y = place(scene, lung, rng, (0.62, 0.93), (0.2, 0.7))
        length = rng.uniform(0.05, 0.10) * (0.8 + 0.6 * severity)
        rise = rng.normal(0, 0.25)
        bow = rng.normal(0, 0.008)
        points = np.array([(x - length, y + rise * length), (x, y + bow), (x + length, y - rise * length)])
        frame.stroke(canvas, [spline(points)], rng.uniform(0.008, 0.017), int(rng.uniform(190, 255)))
    # Plates are seen edge on; lung around them is a little denser because it holds less air.
    plate = frame.blur(canvas.astype(np.float32), 0.003) * np.float32(1 / 255)
    haze = frame.blur(plate, 0.022)
    return _only(lung, plate * np.float32(0.26 + 0.38 * severity) + haze * np.float32(0.8 + 1.1 * severity))


def _joined(scene: Scene, lungs: list[Lung], fills: list[np.ndarray]) -> Effect:
    regions = [filled_region(scene.frame, lung, fill) for lung, fill in zip(lungs, fills, strict=True)]
    return Effect(tuple(regions), fill=np.sum(fills, axis=0))


def interstitial(scene: Scene, rng: np.random.Generator, severity: float) -> Effect:
    """A net of fine lines in both lungs, mostly towards the bases and the periphery."""
    frame = scene.frame
    fine = clouds(rng, frame.size, 32, 128, 1.0)
    net = np.clip(1 - 1.6 * np.abs(fine), 0, 1) + np.float32(0.25)
    regional = np.clip(0.8 + np.float32(0.35) * clouds(rng, frame.size, 4, 8), 0.1, 1.5)
    fill, regions = np.zeros((frame.size, frame.size), np.float32), []
    basal = rng.uniform(0.2, 1.0)
    for lung in scene.lungs:
        t = (frame.y - np.float32(lung.apex[1])) / np.float32(lung.angle[1] - lung.apex[1])
        where = regional * np.clip(1 - basal + basal * 1.4 * t, 0.05, 1.5)
        fill += _only(lung, where * net * np.float32(0.05 + 0.22 * severity))
        regions.append(filled_region(frame, lung, where, 0.35))
    return Effect(tuple(regions), fill=fill)


def edema(scene: Scene, rng: np.random.Generator, severity: float) -> Effect:
    """Fluid around both hila, haze towards the bases, fuller vessels and short lines at the walls."""
    frame = scene.frame
    texture = np.clip(1 + np.float32(0.35) * clouds(rng, frame.size, 8, 64, 0.7), 0.2, 2)
    fill, regions = np.zeros((frame.size, frame.size), np.float32), []
    lines = frame.canvas()
    for lung in scene.lungs:
        height = lung.angle[1] - lung.apex[1]
        centre = (lung.hilum[0] + lung.side * 0.045, lung.hilum[1] + 0.05)
        wing = fading(np.square(distance(frame, centre, (0.13, 0.30 * height))))
        haze = smoothstep((frame.y - np.float32(lung.apex[1] + 0.55 * height)) / np.float32(0.9 * height))
        own = _only(lung, (wing + np.float32(0.45) * haze) * np.float32(0.07 + 0.40 * severity) * texture)
        own *= np.float32(rng.uniform(0.75, 1.25))
        fill += own
        regions.append(filled_region(frame, lung, own, 0.27))
        frame.stroke(lines, _kerley(scene, lung, rng), 0.0028, 200)
    septa = frame.blur(lines.astype(np.float32), 0.002) * np.float32(0.10 * severity / 255)
    fuller = np.float32(0.25 + 0.6 * severity) * frame.blur(scene.vessels, 0.006)
    return Effect(tuple(regions), fill=np.clip(fill, 0, 0.9), added=fuller + septa)


def _kerley(scene: Scene, lung: Lung, rng: np.random.Generator) -> list[np.ndarray]:
    lines = []
    for _ in range(rng.integers(3, 9)):
        x, y = place(scene, lung, rng, (0.6, 0.95), (0.93, 0.99))
        lines.append(np.array([(x, y), (x - lung.side * rng.uniform(0.015, 0.035), y + rng.normal(0, 0.003))]))
    return lines


def _pick(scene: Scene, rng: np.random.Generator) -> Lung:
    return scene.lungs[int(rng.integers(len(scene.lungs)))]


def _only(lung: Lung, fill: np.ndarray) -> np.ndarray:
    """`fill` without what reaches into the other lung."""
    return fill * np.clip(lung.air * np.float32(20), 0, 1)
