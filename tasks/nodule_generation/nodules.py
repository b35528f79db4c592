"""The nodules of a dataset: one a box, named by their images, and their patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .windows import ellipses, keys_of, windows

if TYPE_CHECKING:
    from ...data.images import Images
    from ...data.radiographs import Radiographs
    from ..detection.targets import TrueBoxes
    from .settings import PatchSettings

LABEL = "nodule"


@dataclass(frozen=True)
class Nodules:
    """All nodules, sorted by image, and in an image by their boxes' corners, whatever the order of the files.

    Attributes:
        rows: int64 [G], the image of each in the dataset's samples.
        names: str [G], `<sample_id>#<number in its image, from 1>`.
        boxes: float64 [G, 4], x1, y1, x2, y2 in pixels of the square images.
    """

    rows: np.ndarray
    names: np.ndarray
    boxes: np.ndarray

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Places of the nodules of the images `rows`, ascending."""
        return np.flatnonzero(np.isin(self.rows, rows))


@dataclass(frozen=True)
class Patches:
    """Squares around nodules.

    Attributes:
        pixels: uint8 [N, P, P].
        ellipses: float32 [N, 4], centre x, y and semi-axes x, y of each nodule in pixels of its patch.
    """

    pixels: np.ndarray
    ellipses: np.ndarray

    def __len__(self) -> int:
        return len(self.pixels)


def nodules_of(radiographs: Radiographs, truth: TrueBoxes, image_size: int) -> Nodules:
    """The nodules of `truth`, the boxes of `radiographs`, in pixels of images of `image_size`."""
    rows = np.repeat(np.arange(len(radiographs)), np.diff(truth.first))
    order = np.lexsort((*truth.boxes.T[::-1], rows))
    boxes, rows = truth.in_network(image_size)[order], rows[order]
    number = np.arange(len(rows)) - truth.first[rows] + 1
    ids = radiographs.samples["sample_id"].to_numpy(dtype=str)[rows]
    names = np.array([f"{name}#{each}" for name, each in zip(ids, number, strict=True)], dtype=str)
    return Nodules(rows, names, boxes)


def cut_patches(
    images: Images, nodules: Nodules, places: np.ndarray, settings: PatchSettings, view: int = 0
) -> Patches:
    """The patches of the nodules at `places`, in their order; see `windows` for `view`."""
    boxes = nodules.boxes[places]
    squares = windows(boxes, keys_of(nodules.names[places]), images.size, settings, view)
    pixels = np.empty((len(places), settings.size, settings.size), dtype=np.uint8)
    for at, (row, (left, top, side)) in enumerate(zip(nodules.rows[places], squares.tolist(), strict=True)):
        square = images.stored[images.order[row], top : top + side, left : left + side]
        # Averages where it shrinks, so that fine texture does not turn into moire.
        how = cv2.INTER_AREA if side > settings.size else cv2.INTER_LINEAR
        pixels[at] = cv2.resize(np.ascontiguousarray(square), (settings.size, settings.size), interpolation=how)
    return Patches(pixels, ellipses(boxes, squares, settings.size).astype(np.float32))
