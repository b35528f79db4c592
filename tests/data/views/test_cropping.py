from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms import functional as tv

from cxrbench.data.views.cropping import Places, cut, draw_places
from cxrbench.data.views.recipe import Recipe

KEYS = np.arange(3000)


def smooth(side: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(128, 600, (side, side))
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 4), 0, 255).astype(np.uint8)


def one(box: tuple[int, int, int, int], flipped: bool = False, degrees: float = 0.0) -> Places:
    return Places(np.array([box]), np.array([flipped]), np.array([degrees]))


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Kolmogorov-Smirnov: the largest distance between two distribution functions."""
    at = np.sort(np.concatenate([one, other]))
    shares = [np.searchsorted(np.sort(each), at, side="right") / len(each) for each in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


@pytest.mark.parametrize("area", [(0.08, 1.0), (0.2, 1.0), (0.05, 0.3)])
def test_crops_are_distributed_as_torchvisions(area: tuple[float, float]) -> None:
    boxes = draw_places(Recipe(area=area), KEYS, 224).boxes
    torch.manual_seed(0)
    image = torch.zeros(1, 224, 224)
    theirs = np.array([RandomResizedCrop.get_params(image, list(area), [3 / 4, 4 / 3]) for _ in KEYS])
    theirs = theirs[:, [1, 0, 3, 2]]
    for ours, other in zip(boxes.T, theirs.T, strict=True):
        assert distance(ours, other) < 0.05
    assert distance(boxes[:, 2] / boxes[:, 3], theirs[:, 2] / theirs[:, 3]) < 0.05


def test_crops_lie_inside_the_image_and_without_an_area_are_the_whole_of_it() -> None:
    boxes = draw_places(Recipe(area=(0.08, 1.0)), KEYS, 50).boxes
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= 50).all()
    assert (boxes[:, 2:] > 0).all()
    np.testing.assert_array_equal(draw_places(Recipe(), KEYS[:3], 50).boxes, [[0, 0, 50, 50]] * 3)


def test_an_enlarged_crop_is_torchvisions() -> None:
    image = smooth(96)
    for box in ((10, 20, 50, 33), (0, 0, 96, 96), (60, 3, 36, 90)):
        left, top, width, height = box
        theirs = tv.resized_crop(torch.from_numpy(image)[None], top, left, height, width, [96, 96], antialias=False)
        assert np.abs(cut(image, one(box), 0, 96).astype(int) - theirs[0].numpy()).max() <= 1


def test_a_reduced_crop_is_the_mean_of_the_pixels_that_a_pixel_covers() -> None:
    image = np.random.default_rng(0).integers(0, 256, (128, 128), dtype=np.uint8)
    means = image[16:112, 8:104].reshape(32, 3, 32, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(cut(image, one((8, 16, 96, 96)), 0, 32), means, atol=0.51)


def test_a_crop_that_is_reduced_across_and_enlarged_down_does_not_alias() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (128, 64))
    view = cut(stripes, one((0, 0, 128, 32)), 0, 64)
    assert np.abs(view.astype(int) - 128).max() <= 1


def test_a_mirrored_crop_is_the_mirrored_view() -> None:
    image = smooth(64)
    box = (5, 9, 40, 44)
    np.testing.assert_array_equal(cut(image, one(box, True), 0, 64), cut(image, one(box), 0, 64)[:, ::-1])


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("degrees", [10.0, -7.5])
def test_a_rotated_whole_image_is_torchvisions(degrees: float, flipped: bool) -> None:
    image = smooth(97)
    theirs = tv.rotate(torch.from_numpy(image)[None], degrees, tv.InterpolationMode.BILINEAR)[0].numpy()
    theirs = theirs[:, ::-1] if flipped else theirs
    ours = cut(image, one((0, 0, 97, 97), flipped, degrees), 0, 97)
    inside = np.hypot(*(np.mgrid[:97, :97] - 48.0)) < 46
    assert np.abs(ours.astype(int) - theirs)[inside].max() <= 3


def test_a_rotated_crop_shows_what_the_image_has_in_its_corners() -> None:
    image = smooth(120)
    left, top, width, height, degrees, size = 30, 40, 50, 60, 9.0, 64
    angle = np.radians(degrees)
    down, across = (np.mgrid[:size, :size] - (size - 1) / 2) / size
    # Counter-clockwise on the screen, where rows count downwards.
    columns = left + width / 2 - 0.5 + width * (np.cos(angle) * across - np.sin(angle) * down)
    rows = top + height / 2 - 0.5 + height * (np.sin(angle) * across + np.cos(angle) * down)
    truth = ndimage.map_coordinates(image.astype(float), [rows, columns], order=1)
    ours = cut(image, one((left, top, width, height), False, degrees), 0, size)
    assert np.abs(ours - truth).max() < 3


def test_outside_of_the_image_a_rotation_turns_in_black() -> None:
    view = cut(np.full((64, 64), 200, np.uint8), one((0, 0, 64, 64), False, 10.0), 0, 64)
    assert view[0, 0] == view[0, -1] == view[-1, 0] == view[-1, -1] == 0
    assert view[32, 32] == 200


def test_a_rotated_view_of_a_larger_image_does_not_alias() -> None:
    checks = (np.indices((256, 256)).sum(axis=0) % 2 * 255).astype(np.uint8)
    view = cut(checks, one((20, 20, 200, 210), False, 5.0), 0, 64)
    assert np.abs(view.astype(int) - 128).max() < 12
    large = smooth(256)
    near = cut(large, one((20, 20, 200, 210), False, 5.0), 0, 64)
    angle = np.radians(5.0)
    down, across = (np.mgrid[:64, :64] - 31.5) / 64
    columns = 119.5 + 200 * (np.cos(angle) * across - np.sin(angle) * down)
    rows = 124.5 + 210 * (np.sin(angle) * across + np.cos(angle) * down)
    truth = ndimage.map_coordinates(cv2.blur(large.astype(float), (3, 3)), [rows, columns], order=1)
    assert np.abs(near - truth).mean() < 4


def test_the_image_is_left_alone_and_a_whole_view_is_a_copy() -> None:
    image = smooth(48)
    view = cut(image, one((0, 0, 48, 48)), 0, 48)
    np.testing.assert_array_equal(view, image)
    view[:] = 0
    assert image.any()
