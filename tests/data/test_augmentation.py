from __future__ import annotations

import pickle
import warnings
from typing import Any

import cv2
import numpy as np
import pytest

from cxrbench.data import augmentation
from cxrbench.data.augmentation import PRESETS, Augmentation
from cxrbench.data.keys import fold
from cxrbench.foundation.errors import UserError

SIZE = 64


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    noise = np.random.default_rng(0).normal(128, 400, (400, SIZE, SIZE))
    return np.stack([np.clip(cv2.GaussianBlur(image, (0, 0), 4), 0, 255) for image in noise]).astype(np.uint8)


@pytest.fixture(scope="module")
def keys() -> np.ndarray:
    return fold(7, 0, np.arange(400))


def transforms() -> list[Any]:
    return list(augmentation._transforms("ifa").transforms)


@pytest.mark.parametrize("preset", PRESETS)
def test_no_argument_of_a_transform_is_ignored(preset: str, images: np.ndarray, keys: np.ndarray) -> None:
    with warnings.catch_warnings():
        # The library only warns of an argument that it does not know.
        warnings.simplefilter("error")
        changed = Augmentation(preset)(images, keys)
    assert changed.shape == images.shape
    assert changed.dtype == np.uint8


def test_none_changes_nothing(images: np.ndarray, keys: np.ndarray) -> None:
    assert Augmentation("none")(images, keys) is images


def test_an_image_depends_on_its_key_and_not_on_batch_order_or_threads(images: np.ndarray, keys: np.ndarray) -> None:
    whole = Augmentation("ifa")(images, keys)
    order = np.random.default_rng(1).permutation(len(images))
    np.testing.assert_array_equal(Augmentation("ifa")(images[order], keys[order]), whole[order])
    np.testing.assert_array_equal(Augmentation("ifa", threads=3)(images, keys), whole)
    again = pickle.loads(pickle.dumps(Augmentation("ifa", threads=2)))
    np.testing.assert_array_equal(again(images[50:60], keys[50:60]), whole[50:60])


def test_another_epoch_gives_another_draw_and_the_input_is_left_alone(images: np.ndarray, keys: np.ndarray) -> None:
    before = images.copy()
    changed = Augmentation("ifa")(images, keys)
    later = Augmentation("ifa")(images, fold(7, 1, np.arange(400)))
    assert (changed != later).any(axis=(1, 2)).mean() > 0.9
    np.testing.assert_array_equal(images, before)


def test_global_random_state_has_no_part(images: np.ndarray, keys: np.ndarray) -> None:
    whole = Augmentation("ifa")(images[:50], keys[:50])
    cv2.setRNGSeed(99)
    np.testing.assert_array_equal(Augmentation("ifa")(images[:50], keys[:50]), whole)


def test_as_many_images_stay_unchanged_as_independent_transforms_leave(images: np.ndarray, keys: np.ndarray) -> None:
    # None of five at p 0.2 and one at p 0.6 fires: 0.8^5 * 0.4 = 0.131 (were all fired by one stream: 0.4).
    unchanged = (Augmentation("ifa")(images, keys) == images).all(axis=(1, 2)).mean()
    assert unchanged == pytest.approx(0.131, abs=0.055)


def test_the_transforms_are_the_ten_that_the_paper_names_with_their_probabilities() -> None:
    steps = transforms()
    named = [[type(part).__name__ for part in getattr(step, "transforms", [step])] for step in steps]
    assert named == [
        ["MedianBlur", "MotionBlur", "Sharpen"],
        ["Affine"],
        ["OpticalDistortion"],
        ["RandomBrightnessContrast"],
        ["GaussNoise", "MultiplicativeNoise"],
        ["CoarseDropout"],
    ]
    assert [step.p for step in steps] == [0.2, 0.2, 0.2, 0.6, 0.2, 0.2]


def test_geometry_stays_inside_the_published_magnitudes() -> None:
    affine = transforms()[1]
    affine.set_random_seed(0)
    drawn = [affine.get_params_dependent_on_data({"shape": (1000, 1000)}, {}) for _ in range(300)]
    linear = np.stack([draw["matrix"][:2, :2] for draw in drawn])
    scales = np.sqrt(np.linalg.det(linear))
    degrees = np.degrees(np.arctan2(linear[:, 1, 0], linear[:, 0, 0]))
    assert 0.8 <= scales.min() < 0.83
    assert 1.17 < scales.max() <= 1.2
    assert 9 < np.abs(degrees).max() <= 10
    # One scale for both axes: the matrix is a similarity.
    np.testing.assert_allclose(
        np.einsum("nij,nik->njk", linear, linear), scales[:, None, None] ** 2 * np.eye(2), atol=1e-6
    )
    middle = np.array([499.5, 499.5, 1.0])
    shifts = np.stack([(draw["matrix"] @ middle)[:2] - middle[:2] for draw in drawn])
    assert 50 < np.abs(shifts).max() <= 63


def test_noise_is_as_weak_as_in_the_released_code() -> None:
    noise = transforms()[4].transforms[0]
    noise.set_random_seed(0)
    grey = np.full((256, 256), 128, np.uint8)
    variances = [float(noise(image=grey, force_apply=True)["image"].var()) for _ in range(100)]
    # 10 to 50 there; a sample's variance is within 2 % of the true one.
    assert 9.8 < min(variances) < 11.5
    assert 47 < max(variances) < 51


def test_mistakes_are_named(images: np.ndarray, keys: np.ndarray) -> None:
    with pytest.raises(UserError, match="unknown augmentation 'iffa'; did you mean 'ifa'"):
        Augmentation("iffa")
    with pytest.raises(UserError, match="threads must be 1 or more"):
        Augmentation("ifa", 0)
    with pytest.raises(UserError, match="uint8"):
        Augmentation("ifa")(images.astype(np.float32), keys)
    with pytest.raises(UserError, match="B keys"):
        Augmentation("ifa")(images, keys[:3])
    assert len(Augmentation("ifa")(images[:0], keys[:0])) == 0
