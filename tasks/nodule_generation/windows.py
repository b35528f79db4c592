"""The square around each nodule, and the ellipse of the nodule in it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from ...data.keys import fold, uniform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .settings import PatchSettings

# A view other than the first is larger or smaller by up to this factor.
_SCALE = 1.25
# Semi-axes in pixels of a patch, at least.
_LEAST_AXIS = 1.5


def keys_of(names: Sequence[str] | np.ndarray) -> np.ndarray:
    """A whole number for each name, from its SHA-256: int64 [N], equal on every machine."""
    digests = [hashlib.sha256(str(name).encode()).digest()[:8] for name in names]
    return np.array([int.from_bytes(digest) >> 1 for digest in digests], dtype=np.int64)


def windows(boxes: np.ndarray, keys: np.ndarray, image_size: int, settings: PatchSettings, view: int = 0) -> np.ndarray:
    """The square of each nodule: int64 [N, 3], left edge, upper edge and side, inside the image.

    The side is `context` times the longer side of the box, at least `least_side` and at most the image's. The nodule's
    place in it follows from its key. View 0 has exactly that side; others vary it by a factor up to 1.25.

    Args:
        boxes: x1, y1, x2, y2 in pixels of the square image, float64 [N, 4].
        keys: of the nodules, int64 [N].
        image_size: the image's side.
        settings: see `PatchSettings`.
        view: number of the square.
    """
    drawn = fold(keys, view)
    longer = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    scale = 1.0 if view == 0 else _SCALE ** (2 * uniform(drawn, 0) - 1)
    side = np.clip(np.rint(settings.context * longer * scale), settings.least_side, image_size).astype(np.int64)
    room = settings.rim * longer / 2 + 1
    corners = [
        _corner(boxes[:, [axis, axis + 2]], side, room, uniform(drawn, 1 + axis), settings.jitter) for axis in (0, 1)
    ]
    placed = [np.clip(corner, 0, image_size - side) for corner in corners]
    return np.stack([*placed, side], axis=1)


def ellipses(boxes: np.ndarray, squares: np.ndarray, size: int) -> np.ndarray:
    """The ellipse in each box, in pixels of its patch of `size`: float64 [N, 4], centre x, y, semi-axes x, y.

    Args:
        boxes: in the image, [N, 4].
        squares: from `windows`, [N, 3].
        size: the patch's side.
    """
    scale = size / squares[:, 2:].astype(np.float64)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    axes = np.maximum((boxes[:, 2:] - boxes[:, :2]) / 2 * scale, _LEAST_AXIS)
    return np.concatenate([(centre - squares[:, :2]) * scale, axes], axis=1)


def _corner(edges: np.ndarray, side: np.ndarray, room: np.ndarray, place: np.ndarray, jitter: float) -> np.ndarray:
    """Where a square begins on one axis, int64 [N]; `edges` [N, 2] are those of the box, `place` [N] is in [0, 1)."""
    lowest, highest = edges[:, 1] + room - side, edges[:, 0] - room
    middle = (lowest + highest) / 2
    free = np.maximum(highest - lowest, 0.0)
    return np.rint(middle + jitter * free * (place - 0.5)).astype(np.int64)
