from __future__ import annotations

import hashlib

import numpy as np
import pytest

from cxrbench.tasks.nodule_generation.settings import PatchSettings
from cxrbench.tasks.nodule_generation.windows import ellipses, keys_of, windows

SETTINGS = PatchSettings(context=2.5, least_side=32, jitter=1.0, rim=0.4)


def boxes_at(centres: np.ndarray, width: float, height: float) -> np.ndarray:
    half = np.array([width, height]) / 2
    return np.concatenate([centres - half, centres + half], axis=1)


def test_side_is_context_times_the_longer_side_of_the_box() -> None:
    squares = windows(boxes_at(np.array([[500.0, 500.0]]), 60, 40), np.array([7]), 1024, SETTINGS)
    assert squares[0, 2] == 150


@pytest.mark.parametrize(("width", "side"), [(4, 32), (900, 1024)])
def test_side_is_neither_below_the_least_nor_beyond_the_image(width: float, side: int) -> None:
    squares = windows(boxes_at(np.array([[500.0, 500.0]]), width, width), np.array([7]), 1024, SETTINGS)
    assert squares[0, 2] == side


@pytest.mark.parametrize("view", [0, 1, 2])
def test_squares_lie_in_the_image_and_hold_nodule_and_rim(view: int) -> None:
    rng = np.random.default_rng(0)
    boxes = boxes_at(rng.uniform(40, 984, (500, 2)), 40, 30)
    squares = windows(boxes, np.arange(500), 1024, SETTINGS, view)
    assert squares[:, :2].min() >= 0
    assert (squares[:, :2] + squares[:, 2:]).max() <= 1024
    # The room around the box is the rim's, but where the image ends.
    left, right = boxes[:, :2] - squares[:, :2], squares[:, :2] + squares[:, 2:] - boxes[:, 2:]
    inside = (boxes[:, :2] > 60).all(axis=1) & (boxes[:, 2:] < 964).all(axis=1)
    assert min(left[inside].min(), right[inside].min()) >= 0.4 * 20


def test_a_nodule_in_a_corner_of_the_image_keeps_its_square_inside() -> None:
    squares = windows(np.array([[0.0, 0.0, 20.0, 20.0]]), np.array([3]), 256, SETTINGS)
    assert squares.tolist() == [[0, 0, 50]]


def test_place_of_a_nodule_varies_with_its_key_and_not_with_its_neighbours() -> None:
    boxes = boxes_at(np.full((100, 2), 500.0), 40, 40)
    together = windows(boxes, np.arange(100), 1024, SETTINGS)
    alone = windows(boxes[7:8], np.array([7]), 1024, SETTINGS)
    assert np.array_equal(together[7:8], alone)
    assert len(np.unique(together[:, 0])) > 20


def test_without_jitter_the_nodule_is_in_the_middle() -> None:
    still = SETTINGS.model_copy(update={"jitter": 0.0})
    squares = windows(boxes_at(np.array([[500.0, 400.0]]), 40, 40), np.array([5]), 1024, still)
    assert squares.tolist() == [[450, 350, 100]]


def test_ellipse_fills_its_box_in_the_pixels_of_the_patch() -> None:
    found = ellipses(np.array([[110.0, 220.0, 130.0, 230.0]]), np.array([[100, 200, 50]]), 100)
    # Two pixels of the patch for one of the image: centre (20, 25) x 2, half width 10 x 2, half height 5 x 2.
    assert found.tolist() == [[40.0, 50.0, 20.0, 10.0]]


def test_a_speck_keeps_a_mask() -> None:
    found = ellipses(np.array([[110.0, 220.0, 110.5, 220.5]]), np.array([[100, 200, 64]]), 64)
    assert found[0, 2:].tolist() == [1.5, 1.5]


def test_keys_are_the_first_63_bits_of_sha256() -> None:
    digest = hashlib.sha256(b"n0001#2").digest()
    assert keys_of(["n0001#2"]).tolist() == [int.from_bytes(digest[:8], "big") // 2]
