"""Random shifts, scales and turns of two images that belong together: both alike."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class AffineRanges:
    """What is drawn for each pair, uniformly.

    Attributes:
        flipped: share of the pairs that are mirrored left to right.
        shift: the most along each axis, as a share of the side.
        scale: the most by which the scale differs from 1.
        degrees: the most of the rotation about the middle.
    """

    flipped: float
    shift: float
    scale: float
    degrees: float


def affine_pairs(
    images: np.ndarray, partners: np.ndarray, generator: np.random.Generator, ranges: AffineRanges
) -> tuple[np.ndarray, np.ndarray]:
    """Each image mirrored or not, shifted, scaled and turned about its middle; its partner just so.

    Both are interpolated linearly, and mirrored at the border where the image ends: a partner goes on there as its
    image does.

    Args:
        images: uint8 [B, S, S].
        partners: uint8 [B, S, S].
        generator: decides all draws of the batch.
        ranges: of the draws.
    """
    size = images.shape[1]
    flips = generator.random(len(images)) < ranges.flipped
    draws = generator.uniform(-1, 1, size=(len(images), 4))
    changed_images, changed_partners = np.empty_like(images), np.empty_like(partners)
    middle = ((size - 1) / 2, (size - 1) / 2)
    for number, (flip, (turn, scale, *shift)) in enumerate(zip(flips, draws, strict=True)):
        matrix = cv2.getRotationMatrix2D(middle, ranges.degrees * turn, 1 + ranges.scale * scale)
        if flip:
            matrix = matrix @ np.array([[-1.0, 0.0, size - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        matrix[:, 2] += ranges.shift * size * np.array(shift)
        _warp(images[number], matrix, changed_images[number])
        # Many masks are empty, and stay so.
        if partners[number].any():
            _warp(partners[number], matrix, changed_partners[number])
        else:
            changed_partners[number] = 0
    return changed_images, changed_partners


def _warp(image: np.ndarray, matrix: np.ndarray, into: np.ndarray) -> None:
    shape = (image.shape[1], image.shape[0])
    cv2.warpAffine(image, matrix, shape, dst=into, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
