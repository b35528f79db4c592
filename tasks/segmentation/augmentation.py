"""Random changes of training images and their masks alike."""

from __future__ import annotations

import numpy as np

from ..affine_pairs import AffineRanges, affine_pairs

# Raised whenever the same draws would change an image in another way.
AUGMENTATION_VERSION = 1

RANGES = AffineRanges(flipped=0.5, shift=0.0625, scale=0.1, degrees=10.0)


def affine(images: np.ndarray, masks: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Each image mirrored left to right or not, shifted, scaled and turned about its middle; its mask just so.

    Half are mirrored; shift up to 6.25 % of the side along each axis, scale 0.9 to 1.1, rotation up to 10 degrees, all
    uniform. See `affine_pairs`.

    Args:
        images: uint8 [B, S, S].
        masks: uint8 [B, S, S], 255 for the whole pixel.
        generator: decides all draws of the batch.
    """
    return affine_pairs(images, masks, generator, RANGES)
