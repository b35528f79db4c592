"""Random changes of training images and their masks alike."""

from __future__ import annotations

import cv2
import numpy as np

# Raised whenever the same draws would change an image in another way.
AUGMENTATION_VERSION = 1

FLIPPED = 0.5
MOST_SHIFT = 0.0625
MOST_SCALE = 0.1
MOST_DEGREES = 10.0


def affine(images: np.ndarray, masks: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Each image mirrored left to right or not, shifted, scaled and turned about its middle; its mask just so.

    Half are mirrored; shift up to 6.25 % of the side along each axis, scale 0.9 to 1.1, rotation up to 10 degrees, all
    uniform. Both are interpolated linearly, and mirrored at the border where the image ends: a mask goes on there as
    its image does.

    Args:
        images: uint8 [B, S, S].
        masks: uint8 [B, S, S], 255 for the whole pixel.
        generator: decides all draws of the batch.
    """
    size = images.shape[1]
    flips = generator.random(len(images)) < FLIPPED
    draws = generator.uniform(-1, 1, size=(len(images), 4))
    changed_images, changed_masks = np.empty_like(images), np.empty_like(masks)
    middle = ((size - 1) / 2, (size - 1) / 2)
    for number, (flip, (turn, scale, *shift)) in enumerate(zip(flips, draws, strict=True)):
        matrix = cv2.getRotationMatrix2D(middle, MOST_DEGREES * turn, 1 + MOST_SCALE * scale)
        if flip:
            matrix = matrix @ np.array([[-1.0, 0.0, size - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        matrix[:, 2] += MOST_SHIFT * size * np.array(shift)
        _warp(images[number], matrix, changed_images[number])
        if masks[number].any():
            _warp(masks[number], matrix, changed_masks[number])
        else:
            changed_masks[number] = 0
    return changed_images, changed_masks


def _warp(image: np.ndarray, matrix: np.ndarray, into: np.ndarray) -> None:
    shape = (image.shape[1], image.shape[0])
    cv2.warpAffine(image, matrix, shape, dst=into, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
