"""From attenuation to a picture: geometry, scatter, noise, sharpness, tone curve, borders and marks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .fields import Frame


@dataclass(frozen=True)
class Scanner:
    """One exposure and how it was developed.

    Attributes:
        scatter: part of the light that comes from elsewhere in the body.
        noise: standard deviation of the noise at full light, relative.
        blur: width of the detector's point spread, film widths.
        sharpen: strength and width of edge enhancement.
        flatten: how much of the slow changes over the film is taken out.
        lung, dense: grey levels (0 to 1) of open lung and of the densest tissue.
        toe: softness of the tone curve at both ends.
        gamma: bends the middle of the tone curve.
        slope: change of exposure across and down the film.
        collimation: left, top, right, bottom borders in film widths; negative: none.
        border: grey of the collimated part.
        marker, text: what is burnt in, with its place.
    """

    scatter: float
    noise: float
    blur: float
    sharpen: tuple[float, float]
    flatten: float
    lung: float
    dense: float
    toe: float
    gamma: float
    slope: tuple[float, float]
    collimation: tuple[float, float, float, float]
    collimation_tilt: float
    border: float
    marker: str
    marker_side: int
    marker_place: tuple[float, float]
    marker_scale: float
    marker_tilt: float
    text: str


def draw_scanner(rng: np.random.Generator, portable: bool, child: bool) -> Scanner:
    """Draw how an image is exposed and developed; bedside images are flatter, noisier and carry text."""
    uniform = rng.uniform
    collimated = rng.random(4) < (0.5 if portable or child else 0.3)
    edges = np.where(collimated, np.abs(rng.normal(0.012, 0.022, 4)), -1.0)
    return Scanner(
        scatter=float(np.clip(rng.normal(0.50 if portable else 0.40, 0.07), 0.2, 0.7)),
        noise=float(np.exp(rng.normal(-4.75 if portable else -5.05, 0.35))),
        blur=float(uniform(0.0008, 0.0026)),
        sharpen=(float(uniform(0.1, 0.9)), float(uniform(0.004, 0.012))),
        flatten=float(uniform(0.1, 0.65)),
        lung=float(np.clip(rng.normal(0.26, 0.07), 0.10, 0.48)),
        dense=float(np.clip(rng.normal(0.83, 0.06), 0.62, 0.97)),
        toe=float(uniform(0.03, 0.16)),
        gamma=float(np.exp(rng.normal(-0.12, 0.16))),
        slope=(float(rng.normal(0, 0.12 if portable else 0.06)), float(rng.normal(0, 0.08))),
        collimation=(float(edges[0]), float(edges[1]), float(edges[2]), float(edges[3])),
        collimation_tilt=float(rng.normal(0, 1.2)),
        border=float(uniform(0.0, 0.06)),
        marker="R" if rng.random() < (0.8 if child else 0.3) else "L",
        marker_side=1 if rng.random() < 0.97 else -1,
        marker_place=(float(uniform(0.045, 0.13)), float(uniform(0.035, 0.14))),
        marker_scale=float(uniform(0.7, 1.25)),
        marker_tilt=float(rng.normal(0, 14)),
        text=str(rng.choice(["PORTABLE", "AP", "AP PORTABLE", "SUPINE", ""])) if portable else "",
    )


class Geometry:
    """Turns and slightly warps maps, the same way for every map of one examination."""

    def __init__(self, frame: Frame, tilt: float, rng: np.random.Generator, strength: float = 0.006):
        size = frame.size
        cos, sin = np.cos(np.deg2rad(tilt)), np.sin(np.deg2rad(tilt))
        centre = 0.5 * (size - 1)
        along = np.arange(size, dtype=np.float32) - np.float32(centre)
        bend = rng.standard_normal((2, 6, 6), np.float32) * np.float32(strength * size)
        wave_x, wave_y = (cv2.resize(b, (size, size), interpolation=cv2.INTER_CUBIC) for b in bend)
        self._x = (cos * along[None, :] - sin * along[:, None] + centre).astype(np.float32) + wave_x
        self._y = (sin * along[None, :] + cos * along[:, None] + centre).astype(np.float32) + wave_y

    def warp(self, field: np.ndarray) -> np.ndarray:
        """`field` [S, S] as it lies on the film."""
        return cv2.remap(field, self._x, self._y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def tone_levels(soft: np.ndarray, air: np.ndarray, scanner: Scanner, frame: Frame) -> tuple[float, float]:
    """Logarithmic exposures of open lung and of the densest tissue, which set the tone curve.

    Taken from the body without findings and bones, so that a finding changes its own place only.
    """
    step = max(1, frame.size // 64)
    small = soft[::step, ::step]
    light = np.exp(-small)
    light = (1 - scanner.scatter) * light + scanner.scatter * _spread(light)
    dark = -np.log(light)
    deep = air[::step, ::step]
    lung = dark[deep > 0.6 * deep.max()]
    return float(np.median(lung)), float(np.percentile(dark[small > 0.8], 80))


def expose(
    attenuation: np.ndarray, levels: tuple[float, float], scanner: Scanner, frame: Frame, noise: np.random.Generator
) -> np.ndarray:
    """The developed image, uint8 [S, S], of an attenuation map [S, S]; `noise` draws the quantum noise."""
    light = cv2.exp(-attenuation)
    spread = _upsampled(light, frame)
    light = (1 - scanner.scatter) * light + scanner.scatter * spread
    grain = noise.standard_normal(light.shape, np.float32)
    # Grain is a matter of the detector's cells: a smaller picture averages more of them.
    amount = np.float32(scanner.noise * np.sqrt(frame.size / 256))
    light += cv2.sqrt(light) * grain * amount * np.float32(0.35)
    dark = -cv2.log(np.maximum(light, np.float32(1e-4)))
    dark = frame.blur(dark, scanner.blur)
    return _develop(dark, levels, scanner, frame)


def _develop(dark: np.ndarray, levels: tuple[float, float], scanner: Scanner, frame: Frame) -> np.ndarray:
    lung, dense = levels
    scale = np.float32((scanner.dense - scanner.lung) / max(dense - lung, 0.2))
    z = (dark - np.float32(lung)) * scale + np.float32(scanner.lung)
    strength, width = scanner.sharpen
    z += np.float32(strength) * (z - frame.blur(z, width))
    if scanner.flatten > 0:
        z -= np.float32(scanner.flatten) * (frame.blur(np.clip(z, 0, 1.2), 0.11) - np.float32(0.60))
    x = np.linspace(-0.5, 0.5, frame.size, dtype=np.float32)
    z += np.float32(scanner.slope[0]) * x[None, :] + np.float32(scanner.slope[1]) * x[:, None]
    return tone_curve(scanner)[np.clip(z * 1000 + 1000, 0, 4095).astype(np.uint16)]


def tone_curve(scanner: Scanner) -> np.ndarray:
    """Grey level, uint8 [4096], of exposures -1 to 3.095 in steps of a thousandth."""
    z = (np.arange(4096) - 1000) / 1000
    # Softplus at the dark end and at the bright end: film has a toe and a shoulder.
    toe = scanner.toe
    low = toe * np.logaddexp(0, z / toe)
    curve = 1 - toe * np.logaddexp(0, (1 - low) / toe)
    curve = np.clip(curve, 0, 1) ** scanner.gamma
    return np.round(255 * curve).astype(np.uint8)


def _spread(light: np.ndarray) -> np.ndarray:
    sigma = light.shape[0] * 0.09
    width = 2 * round(2.5 * sigma) + 1
    return cv2.GaussianBlur(light, (width, width), sigma, borderType=cv2.BORDER_REPLICATE)


def _upsampled(light: np.ndarray, frame: Frame) -> np.ndarray:
    step = max(1, frame.size // 32)
    small = cv2.resize(light, (frame.size // step, frame.size // step), interpolation=cv2.INTER_AREA)
    return cv2.resize(_spread(small), (frame.size, frame.size), interpolation=cv2.INTER_LINEAR)
