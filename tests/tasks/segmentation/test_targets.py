"""True masks: squares that keep the area, empty ones, and everything that can be wrong with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cxrbench.data.radiographs import Radiographs
from cxrbench.data.run_lengths import counts_of, counts_to_text
from cxrbench.foundation.errors import UserError
from cxrbench.tasks.segmentation.targets import TrueMasks, true_masks
from tests.tasks.segmentation.examples import LABEL, dataset


def masks_of(mask: np.ndarray) -> TrueMasks:
    return TrueMasks((np.array(counts_of(mask)),), np.array([mask.shape]))


def sizes_of(data: Radiographs) -> np.ndarray:
    return np.tile([8, 6], (len(data), 1))


def test_a_square_holds_the_share_of_each_pixel_that_is_covered() -> None:
    mask = np.zeros((8, 12), dtype=bool)
    mask[:3, :5] = True
    square = masks_of(mask).squares(np.array([0]), 4)[0]
    # Boxes of 2 x 3 pixels.
    shares = mask.reshape(4, 2, 4, 3).mean(axis=(1, 3))
    np.testing.assert_array_equal(square, np.rint(255 * shares))


@pytest.mark.parametrize("shape", [(1024, 1024), (97, 211), (300, 40), (30, 50)])
def test_the_area_is_kept_whatever_the_size(shape: tuple[int, int]) -> None:
    y, x = np.ogrid[: shape[0], : shape[1]]
    mask = ((y / shape[0] - 0.4) / 0.2) ** 2 + ((x / shape[1] - 0.6) / 0.3) ** 2 < 1
    square = masks_of(mask).squares(np.array([0]), 64)[0] / 255
    assert square.mean() == pytest.approx(mask.mean(), rel=0.02)
    # Its middle is where it was: rows are rows and columns are columns.
    rows, columns = np.nonzero(square > 0.5)
    assert rows.mean() / 64 == pytest.approx(0.4, abs=0.02)
    assert columns.mean() / 64 == pytest.approx(0.6, abs=0.02)


def test_a_single_pixel_does_not_vanish() -> None:
    mask = np.zeros((64, 64), dtype=bool)
    mask[10, 20] = True
    square = masks_of(mask).squares(np.array([0]), 16)[0]
    assert square[2, 5] == round(255 / 16)
    assert np.count_nonzero(square) == 1


def test_negatives_have_empty_masks() -> None:
    data = dataset(n=30)
    masks = true_masks(data, LABEL, sizes_of(data))
    positive = data.samples[LABEL].to_numpy() == 1
    assert np.array_equal(masks.positive, positive)
    squares = masks.squares(np.arange(30), 4)
    assert np.array_equal(squares.any(axis=(1, 2)), positive)
    assert [each.sum() for each in masks.counts] == [48] * 30


def test_a_mask_of_another_size_than_its_image_is_named() -> None:
    data = dataset(n=30)
    assert data.masks is not None
    name = data.masks["sample_id"].iloc[2]
    sizes = sizes_of(data)
    sizes[data.samples["sample_id"] == name] = (16, 12)
    with pytest.raises(UserError, match=rf"the mask of {name} has 8 x 6 pixels \(height x width\), its image 16 x 12"):
        true_masks(data, LABEL, sizes)


def test_a_positive_without_a_mask_is_named() -> None:
    data = dataset(n=30)
    assert data.masks is not None
    name = data.masks["sample_id"].iloc[0]
    with pytest.raises(UserError, match=rf"1 samples have pneumothorax and no mask \({name}\)"):
        true_masks(replace(data, masks=data.masks.iloc[1:]), LABEL, sizes_of(data))


def test_two_masks_of_one_image_are_named() -> None:
    data = dataset(n=30)
    assert data.masks is not None
    name = data.masks["sample_id"].iloc[0]
    twice = data.masks.iloc[[0, *range(len(data.masks))]]
    with pytest.raises(UserError, match=f"{name} has two masks"):
        true_masks(replace(data, masks=twice), LABEL, sizes_of(data))


def test_run_lengths_that_do_not_fill_the_image_are_named() -> None:
    data = dataset(n=30)
    assert data.masks is not None
    wrong = data.masks.assign(counts=counts_to_text([10, 5, 30]))
    with pytest.raises(UserError, match="add up to 45, not to 8 x 6"):
        true_masks(replace(data, masks=wrong), LABEL, sizes_of(data))
