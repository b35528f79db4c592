from __future__ import annotations

import numpy as np

from cxrbench.tasks.nodule_generation.nodules import cut_patches
from cxrbench.tasks.nodule_generation.settings import PatchSettings
from tests.tasks.nodule_generation.examples import images_of, nodules, radiographs

BOXES = [("b", 40.0, 10.0, 50.0, 20.0), ("a", 20.0, 20.0, 30.0, 28.0), ("b", 5.0, 30.0, 15.0, 40.0)]


def test_nodules_are_numbered_by_their_corners_whatever_the_order_of_the_file() -> None:
    one, other = nodules(radiographs(BOXES)), nodules(radiographs(BOXES[::-1]))
    assert one.names.tolist() == ["a#1", "b#1", "b#2"] == other.names.tolist()
    assert one.boxes[:, 0].tolist() == [20.0, 5.0, 40.0] == other.boxes[:, 0].tolist()
    assert one.of(np.array([1])).tolist() == [1, 2]


def test_boxes_are_scaled_to_the_square_images() -> None:
    from cxrbench.tasks.detection.targets import true_boxes
    from cxrbench.tasks.nodule_generation.nodules import nodules_of

    data = radiographs([("a", 20.0, 20.0, 30.0, 28.0)])
    truth = true_boxes(data, ("nodule",), np.array([[128, 64]]))
    assert nodules_of(data, truth, 64).boxes.tolist() == [[20.0, 10.0, 30.0, 14.0]]


def test_patch_is_the_square_around_the_nodule() -> None:
    data = radiographs([("a", 24.0, 24.0, 40.0, 40.0)])
    pixels = np.arange(64 * 64, dtype=np.uint32).reshape(1, 64, 64) % 251
    found = nodules(data)
    settings = PatchSettings(size=32, context=2.0, least_side=32, jitter=0.0)
    patches = cut_patches(images_of(data, pixels.astype(np.uint8)), found, np.array([0]), settings)
    assert np.array_equal(patches.pixels[0], pixels[0, 16:48, 16:48])
    assert patches.ellipses.tolist() == [[16.0, 16.0, 8.0, 8.0]]


def test_patches_that_shrink_are_means_of_pixels() -> None:
    data = radiographs([("a", 24.0, 24.0, 40.0, 40.0)])
    checks = (np.indices((64, 64)).sum(axis=0) % 2 * 200).astype(np.uint8)[None]
    settings = PatchSettings(size=32, context=4.0, least_side=32, jitter=0.0)
    patches = cut_patches(images_of(data, checks), nodules(data), np.array([0]), settings)
    assert np.unique(patches.pixels).tolist() == [100]
