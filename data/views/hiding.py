"""Parts of a view that are hidden or moved, for methods that restore them: cutouts, outpainting, shuffled blocks.

Sizes are shares of the view's side. All work in place on uint8 [S, S].
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .key_numbers import whole_between


@dataclass(frozen=True)
class Hidden:
    """What was drawn for a batch.

    Attributes:
        done: int64 [B]; 0 where nothing is to be done, otherwise which of the hiding's ways.
        boxes: int64 [B, K, 4]: top, bottom, left, right, the ends excluded.
        count: int64 [B]; how many of the K boxes are used.
    """

    done: np.ndarray
    boxes: np.ndarray
    count: np.ndarray


class Hiding(ABC):
    """One way to hide parts of a view.

    Attributes:
        numbers: random numbers that an image needs.
        flag: the flag of `TRANSFORMS` that says whether it was done; empty for none.
    """

    numbers: ClassVar[int]
    flag: ClassVar[str] = ""

    @abstractmethod
    def draw(self, unit: np.ndarray, size: int) -> Hidden:
        """What is done to each image, from numbers [B, `numbers`] in [0, 1) and the side of the view in pixels."""

    @abstractmethod
    def apply(self, view: np.ndarray, hidden: Hidden, row: int) -> None:
        """Change `view`, which has row `row` in the batch, in place."""


@dataclass(frozen=True)
class InnerCutout(Hiding):
    """Three squares about random points, cut at the border and filled with `fill`: PCRL's released `Cutout`.

    There: 3 holes of 32 in 224 pixels, filled with the zero that ImageNet's normalisation makes of a mid grey.
    """

    probability: float = 1.0
    side: float = 32 / 224
    fill: int = 115

    HOLES: ClassVar[int] = 3
    numbers: ClassVar[int] = 1 + 2 * HOLES
    flag: ClassVar[str] = "inner_cutout"

    def draw(self, unit: np.ndarray, size: int) -> Hidden:
        half = max(1, round(self.side * size / 2))
        middle = whole_between(unit[:, 1:], 0, size - 1).reshape(-1, self.HOLES, 2)
        least, most = np.clip(middle - half, 0, size), np.clip(middle + half, 0, size)
        boxes = np.stack([least[..., 0], most[..., 0], least[..., 1], most[..., 1]], axis=-1)
        return Hidden((unit[:, 0] < self.probability).astype(np.int64), boxes, np.full(len(unit), self.HOLES))

    def apply(self, view: np.ndarray, hidden: Hidden, row: int) -> None:
        if hidden.done[row]:
            for top, bottom, left, right in hidden.boxes[row].tolist():
                view[top:bottom, left:right] = self.fill


@dataclass(frozen=True)
class OuterCutout(Hiding):
    """All but one rectangle is filled with `fill`; its sides are `least` to `most` of the view's."""

    probability: float = 1.0
    least: float = 154 / 224
    most: float = 174 / 224
    fill: int = 115

    numbers: ClassVar[int] = 5
    flag: ClassVar[str] = "outer_cutout"

    def draw(self, unit: np.ndarray, size: int) -> Hidden:
        sides = whole_between(unit[:, 1:3], round(self.least * size), round(self.most * size))
        starts = whole_between(unit[:, 3:5], 0, size - sides)
        boxes = _boxes(starts, sides)[:, None]
        return Hidden((unit[:, 0] < self.probability).astype(np.int64), boxes, np.ones(len(unit), np.int64))

    def apply(self, view: np.ndarray, hidden: Hidden, row: int) -> None:
        if hidden.done[row]:
            _keep_only(view, hidden.boxes[row], self.fill)


@dataclass(frozen=True)
class HideOrShuffle(Hiding):
    """One of three distortions, or none, as in DiRA's released code (github.com/fhaghighi/DiRA, transformation.py).

    - `cutout` of the images (30 %): up to 10 black rectangles with sides of 10 to 70 in 224 pixels;
    - `outpainting` (5 %): all black but up to 10 rectangles with sides of 154 to 174;
    - `shuffling` (30 %): 10 times two blocks with sides of 10 to 15 change places.

    After each of the rectangles there is no further one with a probability of 0.1. Shuffled blocks may overlap; they
    come from the view as it was (the released test for overlap lets nearly every pair pass).
    """

    cutout: float = 0.30
    outpainting: float = 0.05
    shuffling: float = 0.30

    CUTOUT: ClassVar[int] = 1
    OUTPAINTING: ClassVar[int] = 2
    SHUFFLING: ClassVar[int] = 3
    MOST: ClassVar[int] = 10
    STOP: ClassVar[float] = 0.1
    numbers: ClassVar[int] = 1 + 7 * MOST

    def draw(self, unit: np.ndarray, size: int) -> Hidden:
        limits = np.cumsum([self.cutout, self.outpainting, self.shuffling])
        which = np.searchsorted(limits, unit[:, 0], side="right")
        done = np.where(which < 3, which + 1, 0)
        stops, rest = unit[:, 1 : 1 + self.MOST] < self.STOP, unit[:, 1 + self.MOST :]
        sides_unit, first_unit, second_unit = rest.reshape(len(unit), 3, self.MOST, 2).transpose(1, 0, 2, 3)
        sides = self._sides(sides_unit, done, size)
        margin = round(3 / 224 * size)
        firsts = whole_between(first_unit, margin, size - sides - margin)
        seconds = whole_between(second_unit, margin, size - sides - margin)
        # Boxes that change places stand side by side: those that lose, then those that they come from.
        boxes = np.concatenate([_boxes(firsts, sides), _boxes(seconds, sides)], axis=1)
        ended = np.where(stops.any(axis=1), stops.argmax(axis=1) + 1, self.MOST)
        return Hidden(done, boxes, np.where(done == self.SHUFFLING, self.MOST, ended))

    def apply(self, view: np.ndarray, hidden: Hidden, row: int) -> None:
        done, boxes = hidden.done[row], hidden.boxes[row]
        if done == self.CUTOUT:
            for top, bottom, left, right in boxes[: hidden.count[row]].tolist():
                view[top:bottom, left:right] = 0
        elif done == self.OUTPAINTING:
            _keep_only(view, boxes[: hidden.count[row]], 0)
        elif done == self.SHUFFLING:
            before = view.copy()
            for a, b in zip(boxes[: self.MOST].tolist(), boxes[self.MOST :].tolist(), strict=True):
                view[a[0] : a[1], a[2] : a[3]] = before[b[0] : b[1], b[2] : b[3]]
                view[b[0] : b[1], b[2] : b[3]] = before[a[0] : a[1], a[2] : a[3]]

    def _sides(self, unit: np.ndarray, done: np.ndarray, size: int) -> np.ndarray:
        """Sides [B, MOST, 2] of the rectangles in pixels of the view."""
        ranges = {self.CUTOUT: (10, 70), self.OUTPAINTING: (154, 174), self.SHUFFLING: (10, 15)}
        least, most = np.array([ranges.get(int(way), (10, 15)) for way in range(4)]).T
        drawn = whole_between(unit, least[done][:, None, None], most[done][:, None, None])
        return np.maximum(np.rint(drawn * (size / 224)).astype(np.int64), 1)


def _boxes(starts: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """[..., 2] starts and sides (down, right) -> [..., 4]: top, bottom, left, right."""
    ends = starts + sides
    return np.stack([starts[..., 0], ends[..., 0], starts[..., 1], ends[..., 1]], axis=-1)


def _keep_only(view: np.ndarray, boxes: np.ndarray, fill: int) -> None:
    before = view.copy()
    view[:] = fill
    for top, bottom, left, right in boxes.tolist():
        view[top:bottom, left:right] = before[top:bottom, left:right]
