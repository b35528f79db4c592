"""The numbers that make one patient's chest, and the numbers of one examination of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .fields import Frame

ADULT_AGE = 12


@dataclass(frozen=True)
class Anatomy:
    """One patient. Lengths are film widths, thicknesses centimetres; see `draw_anatomy` for ranges."""

    child: bool
    sex: str
    apex_y: float
    angle_y: float
    half_width: float
    squareness: float
    dome_rise: float
    dome_gap: float
    dome_sharpness: float
    lung_depth: float
    chest_depth: float
    fat: float
    neck: float
    shoulder_drop: float
    heart_ratio: float
    heart_left: float
    heart_bottom: float
    knob: float
    superior_width: float
    thymus: float
    aorta_shift: float
    hilum_y: float
    hilum_size: float
    vessel_strength: float
    rib_drop: float
    rib_strength: float
    rib_width: float
    rib_phase: float
    cortex: float
    spine_strength: float
    spine_width: float
    clavicle_y: float
    scapula_out: float
    breast: float
    breast_y: float
    texture: float
    interstitium: float
    arms_up: bool


@dataclass(frozen=True)
class Posture:
    """One examination: how far the patient breathed in, how he stood, where the film was."""

    frame: Frame
    tilt: float
    rotation: float
    inspiration: float
    arms: float
    facing: int
    bubble: float


def draw_anatomy(rng: np.random.Generator, age: int, sex: str) -> Anatomy:
    """Draw a patient of this age and sex."""
    return _child(rng, age, sex) if age < ADULT_AGE else _adult(rng, age, sex)


def _adult(rng: np.random.Generator, age: int, sex: str) -> Anatomy:
    uniform, normal = rng.uniform, rng.normal
    old = np.clip((age - 40) / 45, 0, 1)
    fat = float(np.clip(rng.gamma(2.5, 0.32), 0.1, 2.4))
    apex = normal(0.135, 0.018)
    female = sex == "F"
    return Anatomy(
        child=False,
        sex=sex,
        apex_y=apex,
        angle_y=apex + np.clip(normal(0.565 if female else 0.60, 0.045), 0.45, 0.70),
        half_width=float(np.clip(normal(0.335 if female else 0.36, 0.02), 0.28, 0.41)),
        squareness=uniform(0.36, 0.5),
        dome_rise=float(np.clip(normal(0.085, 0.022), 0.03, 0.14)),
        dome_gap=normal(0.018, 0.014),
        dome_sharpness=uniform(1.9, 2.9),
        lung_depth=uniform(11.5, 15.5),
        chest_depth=(18 if female else 19.5) + 3.0 * fat + normal(0, 1),
        fat=fat,
        neck=uniform(0.085, 0.12) + 0.01 * fat,
        shoulder_drop=normal(0.0, 0.03),
        heart_ratio=float(np.clip(normal(0.445 + 0.03 * old, 0.035), 0.36, 0.54)),
        heart_left=uniform(0.62, 0.74),
        heart_bottom=uniform(-0.01, 0.05),
        knob=uniform(0.045, 0.065) + 0.022 * old * uniform(0, 1.2),
        superior_width=uniform(0.038, 0.06) + 0.006 * fat,
        thymus=0.0,
        aorta_shift=uniform(0.0, 0.03) + 0.03 * old * uniform(),
        hilum_y=uniform(0.40, 0.48),
        hilum_size=uniform(0.6, 1.5),
        vessel_strength=uniform(0.6, 1.5),
        rib_drop=normal(0.205, 0.03),
        rib_strength=float(np.clip(normal(1.0 - 0.25 * old, 0.22), 0.45, 1.6)),
        rib_width=uniform(0.019, 0.025),
        rib_phase=uniform(-0.5, 0.5),
        cortex=uniform(0.5, 1.5),
        spine_strength=uniform(0.7, 1.3) * (1 - 0.2 * old),
        spine_width=uniform(0.036, 0.046),
        clavicle_y=normal(0.055, 0.022),
        scapula_out=uniform(0.02, 0.09),
        breast=float(np.clip(rng.gamma(3.0, 0.25), 0.15, 1.8)) if female else (0.15 if fat > 1.2 else 0.0),
        breast_y=uniform(0.72, 0.98),
        texture=uniform(0.5, 1.4),
        interstitium=float(rng.gamma(2.0, 0.25 + 0.2 * old)),
        arms_up=False,
    )


def _child(rng: np.random.Generator, age: int, sex: str) -> Anatomy:
    uniform, normal = rng.uniform, rng.normal
    adult = _adult(rng, 20, "M")
    grown = age / ADULT_AGE
    apex = normal(0.15, 0.025)
    return replace(
        adult,
        child=True,
        sex=sex,
        apex_y=apex,
        angle_y=apex + normal(0.63, 0.045),
        half_width=float(np.clip(normal(0.385, 0.03), 0.30, 0.46)),
        squareness=uniform(0.42, 0.62),
        dome_rise=float(np.clip(normal(0.10, 0.02), 0.05, 0.15)),
        lung_depth=uniform(8.5, 11.5) + 2 * grown,
        chest_depth=13 + 5 * grown + normal(0, 0.8),
        fat=uniform(0.2, 0.7),
        neck=uniform(0.10, 0.15),
        shoulder_drop=normal(0.01, 0.03),
        heart_ratio=float(np.clip(normal(0.52 - 0.05 * grown, 0.04), 0.40, 0.60)),
        heart_left=uniform(0.58, 0.68),
        heart_bottom=uniform(-0.03, 0.02),
        knob=uniform(0.03, 0.045),
        superior_width=uniform(0.055, 0.085) - 0.015 * grown,
        thymus=float(np.clip(normal(0.05 * (1 - grown), 0.02), 0, 0.1)),
        aorta_shift=0.0,
        hilum_y=uniform(0.40, 0.46),
        vessel_strength=uniform(0.7, 1.7),
        rib_drop=normal(0.075 + 0.06 * grown, 0.015),
        rib_strength=float(np.clip(normal(0.95, 0.2), 0.5, 1.5)),
        rib_width=uniform(0.018, 0.024),
        spine_strength=uniform(0.5, 1.0),
        spine_width=uniform(0.042, 0.055),
        clavicle_y=normal(0.02, 0.02),
        scapula_out=uniform(0.02, 0.10),
        breast=0.0,
        interstitium=float(rng.gamma(2.0, 0.2)),
        arms_up=bool(rng.random() < 0.6),
    )


def draw_posture(rng: np.random.Generator, size: int, portable: bool, child: bool) -> Posture:
    """Draw one examination; bedside images are breathed in less, turned more and magnified."""
    loose = 1.8 if portable or child else 1.0
    zoom = np.clip(rng.normal(1.16 if portable or child else 1.11, 0.07), 0.9, 1.4)
    stretch = rng.normal(1.0, 0.035)
    frame = Frame(
        size=size,
        zoom_x=float(zoom * stretch),
        zoom_y=float(zoom / stretch),
        shift_x=float(np.clip(rng.normal(0, 0.02 * loose), -0.09, 0.09)),
        shift_y=float(np.clip(rng.normal(0.015, 0.03 * loose), -0.1, 0.12)),
    )
    return Posture(
        frame=frame,
        tilt=float(np.clip(rng.normal(0, 1.3 * loose), -9, 9)),
        rotation=float(np.clip(rng.normal(0, 0.012 * loose), -0.05, 0.05)),
        inspiration=float(np.clip(rng.normal(-0.055 if portable else 0.0, 0.028), -0.15, 0.05)),
        arms=float(rng.uniform(0, 1) if portable else rng.uniform(0.2, 1.4)),
        facing=1 if rng.random() < 0.85 else -1,
        bubble=float(rng.uniform()),
    )
