"""Laying pictures over each other: known shifts and scales come back, and unlike pictures stay unlike."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from cxrbench.data.audit.pixels import thumbnail
from cxrbench.data.audit.registration import Band, details, lay_over

BAND = Band(0.7, 1.5, 3)


def _details(image: np.ndarray) -> np.ndarray:
    return details(thumbnail(image)[None], BAND)


@pytest.mark.parametrize(("top", "bottom", "left", "right"), [(0, 0, 0, 0), (4, 4, 4, 4), (6, 0, 0, 0), (0, 5, 3, 2)])
def test_a_crop_comes_back_as_shift_and_scale(
    phantoms: np.ndarray, top: int, bottom: int, left: int, right: int
) -> None:
    side = 112
    image = phantoms[0]
    crop = image[top : side - bottom, left : side - right]
    likeness, where = lay_over(_details(crop), _details(image), rounds=8)
    assert likeness[0] > 0.93
    # The crop's middle lies (top - bottom) / 2 pixels lower; its edge is (top + bottom) / 2 pixels nearer to it.
    expected = np.array([top - bottom, -top - bottom, left - right, -left - right]) / 2 / side
    np.testing.assert_allclose(where[0], expected, atol=0.004)


def test_the_same_picture_is_not_moved(phantoms: np.ndarray) -> None:
    likeness, where = lay_over(_details(phantoms[3]), _details(phantoms[3]), rounds=4)
    assert likeness[0] == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(where, 0, atol=1e-4)


def test_batches_give_what_single_pairs_give(phantoms: np.ndarray) -> None:
    one = np.concatenate([_details(image) for image in phantoms[:5]])
    other = np.concatenate([_details(image[3:, 3:]) for image in phantoms[:5]])
    together, _ = lay_over(one, other, rounds=4)
    single = [lay_over(one[row : row + 1], other[row : row + 1], rounds=4)[0][0] for row in range(5)]
    np.testing.assert_allclose(together, single, atol=1e-3)


def test_a_flat_picture_is_like_nothing(phantoms: np.ndarray) -> None:
    flat = np.full((112, 112), 80, np.uint8)
    likeness, where = lay_over(_details(flat), _details(phantoms[0]), rounds=4)
    assert abs(likeness[0]) < 0.2
    assert np.isfinite(where).all()


def test_details_are_gaussian_blurs_apart() -> None:
    # OpenCV's blur is the independent truth; its border is mirrored likewise.
    values = np.random.default_rng(1).integers(0, 256, (1, 64, 64)).astype(np.uint8)
    grey = values[0].astype(np.float32) / 255

    def blur(image: np.ndarray, width: float) -> np.ndarray:
        size = 2 * int(4 * width + 1) + 1
        return cv2.GaussianBlur(image, (size, size), width, borderType=cv2.BORDER_REFLECT_101)

    passed = blur(grey, 0.7) - blur(grey, 1.5)
    expected = passed / (np.sqrt(blur(passed * passed, 3)) + 0.02)
    np.testing.assert_allclose(details(values, BAND)[0], expected, atol=2e-4)
