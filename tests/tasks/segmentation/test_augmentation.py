"""Image and mask move together, and draws depend on the generator alone."""

from __future__ import annotations

import numpy as np
import pytest

from cxrbench.tasks.segmentation.augmentation import affine


def blobs(n: int, size: int) -> np.ndarray:
    """Images with a bright ellipse off the middle."""
    y, x = np.mgrid[:size, :size] / size
    inside = ((y - 0.35) / 0.12) ** 2 + ((x - 0.6) / 0.18) ** 2 < 1
    return np.repeat((255 * inside).astype(np.uint8)[None], n, axis=0)


def test_a_mask_moves_as_its_image_does() -> None:
    images = blobs(50, 64)
    before = images.copy()
    changed, masks = affine(images, images, np.random.default_rng(0))
    assert np.array_equal(changed, masks)
    assert np.array_equal(images, before)
    assert len({each.tobytes() for each in masks}) == 50


def test_about_half_are_mirrored_and_areas_stay_within_the_scale() -> None:
    images = blobs(400, 64)
    _, masks = affine(images, images, np.random.default_rng(1))
    columns = np.arange(64)
    middles = (masks.sum(axis=1) * columns).sum(axis=1) / masks.sum(axis=(1, 2))
    assert 0.4 < (middles < 31.5).mean() < 0.6
    areas = masks.sum(axis=(1, 2)) / images[0].sum()
    assert 0.9**2 * 0.98 < areas.min() < 0.85
    assert 1.15 < areas.max() < 1.1**2 * 1.02


def test_an_empty_mask_stays_empty() -> None:
    images = blobs(4, 32)
    _, masks = affine(images, np.zeros_like(images), np.random.default_rng(0))
    assert not masks.any()


@pytest.mark.parametrize("seed", [0, 1])
def test_equal_generators_give_equal_batches(seed: int) -> None:
    images = blobs(5, 32)
    one, same = (affine(images, images, np.random.default_rng(seed))[0] for _ in range(2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, affine(images, images, np.random.default_rng(seed + 10))[0])
