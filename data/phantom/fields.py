"""Smooth fields, curves and strokes on a pixel grid: what anatomy and findings are drawn with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

# Fixed-point digits that OpenCV's drawing takes for positions between pixels.
_SUBPIXEL = 4


@dataclass(frozen=True)
class Frame:
    """Where the image lies in body coordinates: 0 to 1 across a nominal film, x to the image's right, y down.

    Attributes:
        size: pixels a side.
        zoom_x, zoom_y: magnification about the centre.
        shift_x, shift_y: displacement of the body in film widths.
    """

    size: int
    zoom_x: float = 1.0
    zoom_y: float = 1.0
    shift_x: float = 0.0
    shift_y: float = 0.0

    @cached_property
    def x(self) -> np.ndarray:
        """Body x of the pixel centres, float32 [1, S]."""
        return ((self._centres() - 0.5) / self.zoom_x + 0.5 - self.shift_x)[None, :]

    @cached_property
    def y(self) -> np.ndarray:
        """Body y of the pixel centres, float32 [S, 1]."""
        return ((self._centres() - 0.5) / self.zoom_y + 0.5 - self.shift_y)[:, None]

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Pixel coordinates [..., 2] of body coordinates [..., 2]."""
        zoom = np.array([self.zoom_x, self.zoom_y])
        shift = np.array([self.shift_x, self.shift_y])
        return ((np.asarray(points) + shift - 0.5) * zoom + 0.5) * self.size - 0.5

    def length(self, width: float) -> float:
        """Pixels that a body length of `width` covers."""
        return width * self.size * 0.5 * (self.zoom_x + self.zoom_y)

    def canvas(self) -> np.ndarray:
        """A black uint8 [S, S] to draw on."""
        return np.zeros((self.size, self.size), np.uint8)

    def fill(self, canvas: np.ndarray, outlines: list[np.ndarray] | np.ndarray, value: int = 255) -> np.ndarray:
        """Fill closed outlines (each [N, 2], body coordinates) with smooth edges; they must not overlap."""
        cv2.fillPoly(canvas, self._fixed(outlines), (value,), cv2.LINE_AA, _SUBPIXEL)
        return canvas

    def stroke(
        self, canvas: np.ndarray, lines: list[np.ndarray] | np.ndarray, width: float, value: int = 255
    ) -> np.ndarray:
        """Draw open lines (each [N, 2]) of `width` body units, never thinner than a pixel."""
        # A line thinner than a pixel is drawn fainter, so that its brightness does not depend on the size.
        pixels = self.length(width)
        faint = value * min(1.0, pixels)
        cv2.polylines(canvas, self._fixed(lines), False, (int(faint),), max(1, round(pixels)), cv2.LINE_AA, _SUBPIXEL)
        return canvas

    def blur(self, field: np.ndarray, width: float) -> np.ndarray:
        """`field` smoothed by a Gaussian of standard deviation `width` body units, on a coarser grid where it can."""
        sigma = self.length(width)
        step = 1
        while sigma / step > 2.0 and self.size // (2 * step) >= 16:
            step *= 2
        if step > 1:
            small = cv2.resize(field, (self.size // step, self.size // step), interpolation=cv2.INTER_AREA)
            small = _gaussian(small, sigma / step)
            return cv2.resize(small, (self.size, self.size), interpolation=cv2.INTER_LINEAR)
        return _gaussian(field, sigma) if sigma > 0.2 else field

    def solid(self, canvas: np.ndarray, width: float, rim: float = 0.5) -> np.ndarray:
        """Thickness 0 to 1 of a rounded body with the outline drawn on `canvas`: `rim` at its edge, 1 deep inside."""
        edge = canvas.astype(np.float32) * np.float32(1 / 255)
        inner = self.blur(edge, width)
        # A straight edge blurs to one half.
        return edge * np.clip(rim + (1 - rim) * (2 * inner - 1), 0, 1)

    def _centres(self) -> np.ndarray:
        return (np.arange(self.size, dtype=np.float32) + 0.5) / np.float32(self.size)

    def _fixed(self, curves: list[np.ndarray] | np.ndarray) -> list[np.ndarray]:
        limit = 8 * self.size
        pixels = self.pixels(np.concatenate(list(curves)))
        fixed = np.rint(np.clip(pixels, -limit, limit) * (1 << _SUBPIXEL)).astype(np.int32)
        ends = np.cumsum([len(curve) for curve in curves]).tolist()
        return [fixed[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _gaussian(field: np.ndarray, sigma: float) -> np.ndarray:
    # Three standard deviations are enough here, and quicker than OpenCV's four.
    width = 2 * max(1, round(3 * sigma)) + 1
    return cv2.GaussianBlur(field, (width, width), sigma)


def spline(points: np.ndarray, per_segment: int = 8, closed: bool = False) -> np.ndarray:
    """A smooth (Catmull-Rom) curve [M, 2] through `points` [N, 2]."""
    points = np.asarray(points, dtype=np.float64)
    if closed:
        padded = np.concatenate([points[-1:], points, points[:2]])
    else:
        padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    before, start, end, after = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = (np.arange(per_segment) / per_segment)[None, :, None]
    before, start, end, after = (p[:, None, :] for p in (before, start, end, after))
    curve = 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    )
    curve = curve.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])


def profile(knots: list[tuple[float, float]], at: np.ndarray) -> np.ndarray:
    """Values at `at` of a smooth curve through `knots` (position, value), constant beyond the ends; float32."""
    curve = spline(np.asarray(knots), 6)
    return np.interp(at, np.maximum.accumulate(curve[:, 0]), curve[:, 1]).astype(np.float32)


def smoothstep(t: np.ndarray) -> np.ndarray:
    """0 for t <= -0.5, 1 for t >= 0.5, smooth between."""
    t = np.clip(t + np.float32(0.5), 0, 1)
    return t * t * (3 - 2 * t)


def rounded(t: np.ndarray) -> np.ndarray:
    """t ** 0.375 (0 below 0): how thickness grows from the edge of a rounded body."""
    # Roots are far quicker than powers.
    fourth = np.sqrt(np.sqrt(np.maximum(t, 0)))
    return fourth * np.sqrt(fourth)


def fading(t: np.ndarray) -> np.ndarray:
    """exp(-t) of a float32 [S, S] field with t >= 0, without the tiny numbers that slow a processor down."""
    return cv2.exp(-np.minimum(t, np.float32(20)))


def clouds(rng: np.random.Generator, size: int, coarsest: int, finest: int, falloff: float = 0.6) -> np.ndarray:
    """Noise [S, S] of about unit variance with `coarsest` to `finest` cells a side, each octave `falloff` weaker."""
    finest = min(finest, size)
    cells = coarsest
    field = rng.standard_normal((cells, cells), np.float32)
    weight, energy = 1.0, 1.0
    while cells * 2 <= finest:
        cells *= 2
        weight *= falloff
        energy += weight * weight
        field = cv2.resize(field, (cells, cells), interpolation=cv2.INTER_LINEAR)
        field += np.float32(weight) * rng.standard_normal((cells, cells), np.float32)
    # Linear interpolation averages neighbours, which takes about a third of the variance.
    field = cv2.resize(field, (size, size), interpolation=cv2.INTER_CUBIC)
    return field * np.float32(1.4 / np.sqrt(energy))


def ellipses(centres: np.ndarray, radii: np.ndarray, n: int = 12) -> np.ndarray:
    """Outlines [E, n, 2] of upright ellipses at `centres` [E, 2] with `radii` [E, 2]."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return centres[:, None] + radii[:, None] * np.stack([np.cos(t), np.sin(t)], axis=1)


def ellipse(centre: tuple[float, float], radii: tuple[float, float], angle: float = 0.0, n: int = 40) -> np.ndarray:
    """Outline [n, 2] of an ellipse in body coordinates; `angle` in radians."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    across, along = radii[0] * np.cos(t), radii[1] * np.sin(t)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([centre[0] + across * cos - along * sin, centre[1] + across * sin + along * cos], axis=1)
