"""A body between tube and film, before the exposure: attenuation maps and the places findings go to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .fields import Frame

# Attenuation, in units of ln(I0 / I): about 0.2 a centimetre of soft tissue at chest energies.
PER_CM = 0.2


@dataclass(frozen=True)
class Lung:
    """One lung as it projects onto the film (in a lateral view: both).

    Attributes:
        side: +1 where the chest wall lies towards the image's right, -1 where it lies to the left.
        air: attenuation that filling the lung with water would add, float32 [S, S].
        wall: x of the chest wall (lateral view: the back) at each row, [S, 1].
        medial: x of the other border at each row, [S, 1].
        dome: y of the diaphragm at each column, [1, S].
        apex, hilum, angle: (x, y) of the top, the root and the costophrenic angle.
    """

    side: int
    air: np.ndarray
    wall: np.ndarray
    medial: np.ndarray
    dome: np.ndarray
    apex: tuple[float, float]
    hilum: tuple[float, float]
    angle: tuple[float, float]


@dataclass(frozen=True)
class Scene:
    """Everything that is seen, in body coordinates of `frame`.

    Attributes:
        soft: attenuation of the body without ribs, clavicles, scapulae and arms' bones, [S, S].
        bones: attenuation of those bones, [S, S].
        vessels: attenuation of the lung's vessels, already contained in `soft`, [S, S].
        lungs: the lungs, one or two.
        heart: uint8 [S, S], 255 inside the heart (without the great vessels).
        ribs: centre lines [R, P, 2] on which a rib may break.
        rib_width: body units.
        spine_x: x of the spine.
    """

    frame: Frame
    soft: np.ndarray
    bones: np.ndarray
    vessels: np.ndarray
    lungs: tuple[Lung, ...]
    heart: np.ndarray
    ribs: np.ndarray
    rib_width: float
    spine_x: float
