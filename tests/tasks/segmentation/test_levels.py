"""Counting by level against comparing every pixel with the threshold."""

from __future__ import annotations

import numpy as np
import pytest

from cxrbench.data.run_lengths import counts_of
from cxrbench.tasks.segmentation.levels import LEVELS, THRESHOLDS, LevelCounts, count_levels, enlarged


def test_enlarged_pixels_follow_each_other_down_the_columns() -> None:
    small = np.array([[0.0, 1.0], [0.0, 1.0]])
    pixels = enlarged(small, height=3, width=4)
    assert pixels.shape == (4, 3)
    # Half pixels: the four columns lie at -0.25, 0.25, 0.75 and 1.25 of the small one's.
    np.testing.assert_allclose(pixels[:, 0], [0, 0.25, 0.75, 1])
    assert (pixels == pixels[:, :1]).all()


def test_an_image_of_the_same_size_is_left_alone() -> None:
    values = np.random.default_rng(0).random((8, 8), dtype=np.float32)
    assert np.array_equal(enlarged(values, 8, 8).T, values)


def test_counts_by_level_are_those_of_every_threshold() -> None:
    generator = np.random.default_rng(0)
    rows = []
    expected = []
    for number in range(40):
        height, width = 5 + number % 3, 7 + number % 4
        pixels = generator.random((width, height), dtype=np.float32) ** 3
        # Values that lie on a threshold, and both ends.
        pixels.flat[: LEVELS + 1] = np.arange(LEVELS + 1) / LEVELS
        mask = generator.random((height, width)) < (0.3 if number % 2 else 0)
        rows.append(count_levels(pixels, np.array(counts_of(mask))))
        for threshold in THRESHOLDS:
            decided = threshold <= pixels.T
            total = decided.sum() + mask.sum()
            expected.append(2 * (decided & mask).sum() / total if total else 1.0)
    counted = LevelCounts(*(np.array(each) for each in zip(*rows, strict=True)))
    np.testing.assert_array_equal(counted.dice(), np.reshape(expected, (40, LEVELS - 1)))
    best = counted.best_threshold()
    assert counted.dice().mean(axis=0).max() == counted.dice().mean(axis=0)[round(best * LEVELS) - 1]


@pytest.mark.parametrize(("low", "high", "best"), [(0.2, 0.8, 0.5), (0.6, 0.9, 0.625), (0.05, 0.3, 0.28125)])
def test_of_equally_good_thresholds_the_one_nearest_a_half_is_taken(low: float, high: float, best: float) -> None:
    mask = np.zeros((4, 4), dtype=bool)
    mask[1:3, 1:3] = True
    pixels = np.where(mask.T, high, low).astype(np.float32)
    levels = count_levels(pixels, np.array(counts_of(mask)))
    counted = LevelCounts(*(np.array([each]) for each in levels))
    assert counted.best_threshold() == best
