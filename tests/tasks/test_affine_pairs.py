"""Two images that belong together move together, within the ranges that are asked for."""

from __future__ import annotations

import numpy as np

from cxrbench.tasks.affine_pairs import AffineRanges, affine_pairs

STILL = AffineRanges(flipped=0.0, shift=0.0, scale=0.0, degrees=0.0)
IMAGES = np.random.default_rng(0).integers(1, 256, (6, 32, 32)).astype(np.uint8)


def test_no_range_leaves_both_as_they_are() -> None:
    found, partners = affine_pairs(IMAGES, 255 - IMAGES, np.random.default_rng(0), STILL)
    assert np.array_equal(found, IMAGES)
    assert np.array_equal(partners, 255 - IMAGES)


def test_always_mirrored() -> None:
    mirror = AffineRanges(flipped=1.0, shift=0.0, scale=0.0, degrees=0.0)
    found, partners = affine_pairs(IMAGES, IMAGES // 2, np.random.default_rng(0), mirror)
    assert np.array_equal(found, IMAGES[:, :, ::-1])
    assert np.array_equal(partners, (IMAGES // 2)[:, :, ::-1])


def test_both_move_alike_and_every_pair_otherwise() -> None:
    same = np.repeat(IMAGES[:1], 6, axis=0)
    ranges = AffineRanges(flipped=0.0, shift=0.1, scale=0.1, degrees=5.0)
    found, partners = affine_pairs(same, same, np.random.default_rng(0), ranges)
    assert np.array_equal(found, partners)
    assert len({each.tobytes() for each in found}) == 6
