from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from sklearn.utils.class_weight import compute_class_weight

from cxrbench.data import balancing
from cxrbench.data.balancing import balanced_rows, class_weights, positive_weights, rotate_and_zoom
from cxrbench.data.keys import fold, uniform
from cxrbench.foundation.errors import UserError

CLASSES = np.array([2, 0, 0, 1, 0, 0, 1, 0, 0, 0])  # 7, 2 and 1


def test_every_class_is_as_frequent_as_the_largest_and_originals_come_first() -> None:
    rows, copy = balanced_rows(CLASSES, seed=0)
    assert np.bincount(CLASSES[rows]).tolist() == [7, 7, 7]
    assert rows[:10].tolist() == list(range(10))
    assert copy[:10].tolist() == [0] * 10
    assert (copy[10:] > 0).all()


def test_copies_of_a_row_are_numbered_without_gaps_and_spread_evenly() -> None:
    rows, copy = balanced_rows(CLASSES, seed=0)
    assert sorted(copy[rows == 0]) == [0, 1, 2, 3, 4, 5, 6]
    times = [int((rows == row).sum()) for row in (3, 6)]
    assert sorted(times) == [3, 4]
    assert len(set(zip(rows.tolist(), copy.tolist(), strict=True))) == 21


def test_the_seed_decides_who_gets_the_odd_copy_and_balanced_data_stay() -> None:
    drawn = {tuple(balanced_rows(CLASSES, seed)[0]) for seed in range(10)}
    assert len(drawn) > 1
    assert np.array_equal(balanced_rows(CLASSES, 3)[0], balanced_rows(CLASSES, 3)[0])
    assert balanced_rows(np.array([1, 0]), 0)[0].tolist() == [0, 1]


def test_rotation_and_zoom_agree_with_scipy() -> None:
    size = 65
    image = np.zeros((size, size), np.uint8)
    image[20:50, 12:30] = 200
    image = ndimage.gaussian_filter(image, 2)
    key = fold(1, np.arange(1))
    degrees, zoom = 20 * uniform(key, 0)[0] - 10, 0.8 + 0.4 * uniform(key, 1)[0]
    angle = np.radians(degrees)
    # Output (row, column) -> input; a positive angle turns counter-clockwise as the image is seen.
    back = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / zoom
    centre = np.full(2, (size - 1) / 2)
    expected = ndimage.affine_transform(image.astype(float), back, centre - back @ centre, order=1, mode="nearest")
    moved = rotate_and_zoom(image[None], key)[0]
    assert abs(degrees) > 1
    assert abs(zoom - 1) > 0.02
    assert np.abs(moved - expected).max() <= 4
    assert np.abs(image - expected).max() > 50


def test_moves_depend_on_the_key_alone_and_stay_inside_their_range(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32), dtype=np.uint8)
    keys = fold(4, np.arange(6))
    whole = rotate_and_zoom(images, keys)
    assert np.array_equal(rotate_and_zoom(images[3:5], keys[3:5]), whole[3:5])
    assert whole.dtype == np.uint8
    monkeypatch.setattr(balancing, "ROTATION_DEGREES", 0.0)
    monkeypatch.setattr(balancing, "ZOOM", 0.0)
    assert np.array_equal(rotate_and_zoom(images, keys), images)


def test_no_copy_has_black_corners_that_would_tell_its_class() -> None:
    bright = np.full((50, 40, 40), 180, np.uint8)
    assert (rotate_and_zoom(bright, fold(np.arange(50))) == 180).all()


def test_class_weights_are_those_of_scikit_learn() -> None:
    expected = compute_class_weight("balanced", classes=np.arange(3), y=CLASSES)
    np.testing.assert_allclose(class_weights(CLASSES, 3), expected)


def test_a_class_without_rows_weighs_nothing_and_the_rest_average_one() -> None:
    weights = class_weights(np.array([0, 0, 0, 2]), 4)
    np.testing.assert_allclose(weights, [4 / 6, 0, 4 / 2, 0])
    assert weights[[0, 0, 0, 2]].mean() == pytest.approx(1)


def test_positive_weights_leave_out_nan_and_labels_of_one_class() -> None:
    nan = np.nan
    targets = np.array([[1, 1, 0, nan], [0, 1, 0, 1], [0, 1, 0, 0], [0, nan, nan, 0], [nan, 1, 0, nan]])
    np.testing.assert_allclose(positive_weights(targets), [3, 1, 1, 2])


def test_positive_weight_is_the_ratio_of_class_weights() -> None:
    label = np.array([1, 0, 0, 0, 1, 0, 0])
    negative, positive = compute_class_weight("balanced", classes=np.array([0, 1]), y=label)
    np.testing.assert_allclose(positive_weights(label[:, None].astype(float)), [positive / negative])


@pytest.mark.parametrize("classes", [np.zeros((3, 2), int), np.array([0.0, 1.0]), np.array([], int)])
def test_what_is_not_one_class_a_row_is_refused(classes: np.ndarray) -> None:
    with pytest.raises(UserError):
        balanced_rows(classes, 0)


def test_a_class_out_of_range_is_refused() -> None:
    with pytest.raises(UserError, match="0 to 1"):
        class_weights(np.array([0, 2]), 2)
