"""Boxes that were found and boxes that are there, as arrays over all images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Detections:
    """Boxes that a detector found in all images, in any order; ties in score are told apart by the order.

    Attributes:
        image: [D] whole numbers, number of the image, 0 to N - 1.
        label: [D] whole numbers, 0 to K - 1.
        boxes: [D, 4] x1, y1, x2, y2 in pixels, x2 >= x1 and y2 >= y1; edges, so that the width is x2 - x1.
        scores: [D] finite numbers.

    Raises ValueError, by field and row, for other shapes, NaN or infinite numbers, and inverted boxes.
    """

    image: np.ndarray
    label: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray

    def __post_init__(self) -> None:
        _settle(self, "detections", floats=("scores",))


@dataclass(frozen=True)
class Truth:
    """Boxes that are there, of all images; images without any are told by `match`'s number of images.

    Attributes:
        image, label, boxes: as of `Detections`, [G] and [G, 4].
        crowd: [G] booleans: boxes of a crowd, which any number of detections may match without counting; default none.
        area: [G] square pixels that decide what is small, medium and large; by default the box's.

    Raises ValueError as `Detections` does.
    """

    image: np.ndarray
    label: np.ndarray
    boxes: np.ndarray
    crowd: Any = None
    area: Any = None

    def __post_init__(self) -> None:
        n = len(np.asarray(self.image))
        crowd = np.zeros(n, dtype=bool) if self.crowd is None else np.asarray(self.crowd).astype(bool)
        object.__setattr__(self, "crowd", crowd)
        no_area = self.area is None
        object.__setattr__(self, "area", np.zeros(n) if no_area else self.area)
        _settle(self, "truth", floats=("area",))
        object.__setattr__(self, "area", areas(self.boxes) if no_area else self.area)


def areas(boxes: np.ndarray) -> np.ndarray:
    """Width times height [n] of boxes [n, 4]."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def overlaps(found: np.ndarray, true: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """Intersection over union [n] of pairs of boxes [n, 4]; over the found box alone where the true one is a crowd.

    In the order of pycocotools' operations, which knows boxes by corner, width and height, so that no bit differs.
    """
    found_size, true_size = found[:, 2:] - found[:, :2], true[:, 2:] - true[:, :2]
    shared = np.minimum(found_size + found[:, :2], true_size + true[:, :2]) - np.maximum(found[:, :2], true[:, :2])
    both = np.where((shared > 0).all(axis=1), shared[:, 0] * shared[:, 1], 0.0)
    found_area, true_area = found_size[:, 0] * found_size[:, 1], true_size[:, 0] * true_size[:, 1]
    union = np.where(crowd, found_area, found_area + true_area - both)
    return np.divide(both, union, out=np.zeros(len(both)), where=both > 0)


def _settle(given: Detections | Truth, name: str, floats: tuple[str, ...]) -> None:
    """Make every field an array of its type, or say what is wrong with it."""
    n = len(np.asarray(given.image))
    for field in ("image", "label"):
        values = np.asarray(getattr(given, field))
        if len(values) and not np.issubdtype(values.dtype, np.integer):
            raise ValueError(f"{name}: {field} must be whole numbers, not {values.dtype}")
        object.__setattr__(given, field, values.astype(np.int64))
    for field in ("boxes", *floats):
        object.__setattr__(given, field, np.asarray(getattr(given, field), dtype=np.float64))
    if given.boxes.size == 0:
        object.__setattr__(given, "boxes", given.boxes.reshape(0, 4))
    shapes = {"boxes": (n, 4)}
    for field in vars(given):
        values = getattr(given, field)
        if values.shape != shapes.get(field, (n,)):
            raise ValueError(f"{name}: {field} {list(values.shape)} must be {list(shapes.get(field, (n,)))}")
        bad = np.flatnonzero(~np.isfinite(values).all(axis=tuple(range(1, values.ndim))))
        if len(bad):
            raise ValueError(f"{name}: {field} of row {bad[0]} is not a finite number ({len(bad)} such rows)")
    bad = np.flatnonzero((given.boxes[:, 2:] < given.boxes[:, :2]).any(axis=1))
    if len(bad):
        raise ValueError(
            f"{name}: box {given.boxes[bad[0]].tolist()} of row {bad[0]} is inverted; boxes are x1, y1, x2, y2"
        )
