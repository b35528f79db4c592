"""Probabilities in the pixels of the original image, and the threshold that they are cut at."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .overlap import dice

# Thresholds are whole multiples of 1 / LEVELS: a power of two, so that counting by level and comparing with the
# threshold agree to the last pixel.
LEVELS = 32
THRESHOLDS = np.arange(1, LEVELS) / LEVELS


def enlarged(probabilities: np.ndarray, height: int, width: int) -> np.ndarray:
    """Probabilities [S, S] at the pixels of an image, by linear interpolation: float32 [width, height].

    Axes are swapped, so that pixels follow each other as in run lengths: down the columns.
    """
    swapped = np.ascontiguousarray(probabilities.T, dtype=np.float32)
    return cv2.resize(swapped, (height, width), interpolation=cv2.INTER_LINEAR)


@dataclass(frozen=True)
class LevelCounts:
    """How many pixels of each image lie at each level of probability, [p * LEVELS] rounded down.

    Attributes:
        all: int64 [V, LEVELS + 1].
        inside: the same of the pixels inside the true mask.
    """

    all: np.ndarray
    inside: np.ndarray

    def dice(self) -> np.ndarray:
        """Dice by the rule of the challenge of each image at each of THRESHOLDS: [V, LEVELS - 1]."""
        both, decided = (_at_or_above(each) for each in (self.inside, self.all))
        return dice(both, self.inside.sum(axis=1, keepdims=True), decided)

    def best_threshold(self) -> float:
        """The one of THRESHOLDS with the highest mean Dice; of several the one nearest to a half."""
        means = self.dice().mean(axis=0)
        best = np.flatnonzero(means == means.max())
        return float(THRESHOLDS[best[np.argmin(np.abs(THRESHOLDS[best] - 0.5))]])


def count_levels(pixels: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels at each level, int64 [LEVELS + 1], and those of them inside a mask.

    Args:
        pixels: probabilities as `enlarged` gives them.
        counts: COCO's counts of the true mask.
    """
    inside = np.zeros(LEVELS + 1, dtype=np.int64)
    if len(counts) > 1:
        mask = np.repeat((np.arange(len(counts)) % 2).astype(np.uint8), counts).reshape(pixels.shape)
        inside = _histogram(pixels, mask)
    return _histogram(pixels, None), inside


def _histogram(pixels: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    # A level of its own for a probability of 1.
    limits = [0.0, (LEVELS + 1) / LEVELS]
    return cv2.calcHist([pixels], [0], mask, [LEVELS + 1], limits).ravel().astype(np.int64)


def _at_or_above(counts: np.ndarray) -> np.ndarray:
    """Pixels at each of THRESHOLDS or above it [V, LEVELS - 1], from pixels at each level."""
    return counts[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:LEVELS]
