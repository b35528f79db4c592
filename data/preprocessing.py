"""From a grey radiograph of any size and depth to the uint8 square that is cached."""

from __future__ import annotations

from typing import Literal, get_args

import cv2
import numpy as np

from ..foundation.errors import UserError, unknown_name

# Raised when the same file would give other pixels; part of every cache key and fingerprint.
PREPROCESSING_VERSION = 2

Preset = Literal["default", "paper", "unstretched"]
PRESETS: tuple[Preset, ...] = get_args(Preset)

_PERCENTILE = 0.99


def preprocess(
    image: np.ndarray, size: int, preset: Preset = "default", padding: np.ndarray | None = None
) -> np.ndarray:
    """Resize to a square, clip the brightest per cent, and spread the rest over 0 to 255 (unless `unstretched`).

    1. Linear interpolation to `size` x `size`. A side that shrinks to half or less is first averaged
       over boxes, because linear interpolation alone would skip pixels and turn fine texture into moire.
       A box is as long as the factor by which the side shrinks, rounded down; where both sides shrink to
       a quarter or less, to a multiple of `spare_factor`, and up to `spare_factor` - 1 pixels at the
       right and at the bottom are dropped. So a JPEG can be decoded at a part of its size.
    2. p99, the 99th percentile (between the two nearest values, as in `numpy.percentile`), which tames
       bright side markers.
    3. `default`: round(255 (min(x, p99) - min) / (p99 - min)), halves to even. `paper`: 8-bit images
       are only clipped, round(min(x, p99)); others as in `default`. `unstretched`: 8-bit images stay as
       they are, others become round(255 x / 65535), so that two images that belong together keep one
       scale of grey; nothing is clipped.

    Args:
        image: uint8 or uint16 [H, W], bright = dense.
        size: side of the result, in pixels.
        preset: one of PRESETS.
        padding: bool [H, W], true where a pixel shows nothing; left out of min and p99. A pixel of
            the result counts as padding where at least half of it is.

    Returns:
        uint8 [size, size].

    Raises:
        UserError: unknown preset, or an image that is constant up to its 99th percentile.
    """
    if preset not in PRESETS:
        raise unknown_name("preprocessing preset", preset, PRESETS)
    resized = _resize(image, size)
    seen = None if padding is None else (_resize(255 - 255 * padding.astype(np.uint8), size) >= 128).astype(np.uint8)
    counts = _histogram(resized, seen)
    present = np.flatnonzero(counts)
    if len(present) == 0:
        raise UserError("nothing but padding: no radiograph")
    low, clip = int(present[0]), _percentile(counts, _PERCENTILE)
    if clip <= low:
        raise UserError(f"at least 99 % of it has the constant value {low}: no radiograph")
    values = np.arange(len(counts))
    if preset == "paper" and image.dtype == np.uint8:
        table = np.minimum(values, clip)
    elif preset == "unstretched":
        table = values * (255 / (len(values) - 1))
    else:
        table = 255 * (np.clip(values, low, clip) - low) / (clip - low)
    table = np.rint(table).astype(np.uint8)
    return cv2.LUT(resized, table) if image.dtype == np.uint8 else table[resized]


def spare_factor(height: int, width: int, size: int) -> int:
    """The power of two by which both sides may be divided with at least twice `size` left; 1 where there is none.

    A decoder may average boxes of 2, 4 or 8 up to this factor, and drop what is left over at the right and at the
    bottom, before `preprocess` brings the image to `size`: the boxes are the same ones.
    """
    least = min(height, width) // size
    return 1 << max(0, least.bit_length() - 2)


def _resize(image: np.ndarray, size: int) -> np.ndarray:
    if image.shape == (size, size):
        return image
    height, width = image.shape
    factor = spare_factor(height, width, size)
    height, width = height // factor, width // factor
    rows, columns = max(1, height // size), max(1, width // size)
    if factor > 1 or rows > 1 or columns > 1:
        image = image[: height * factor, : width * factor]
        image = cv2.resize(image, (width // columns, height // rows), interpolation=cv2.INTER_AREA)
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)


def _histogram(image: np.ndarray, seen: np.ndarray | None) -> np.ndarray:
    """How often each value of the image's type occurs, int64 [256 or 65536]."""
    bins = 256 if image.dtype == np.uint8 else 65536
    # OpenCV counts three times as fast as numpy and lets other threads run meanwhile.
    return cv2.calcHist([image], [0], seen, [bins], [0, bins]).ravel().astype(np.int64)


def _percentile(counts: np.ndarray, fraction: float) -> float:
    """`numpy.percentile` (linear) of the values that `counts` counts."""
    cumulative = np.cumsum(counts)
    rank = fraction * (cumulative[-1] - 1)
    below = int(np.searchsorted(cumulative, np.floor(rank), side="right"))
    above = int(np.searchsorted(cumulative, np.ceil(rank), side="right"))
    return below + (above - below) * (rank - np.floor(rank))
