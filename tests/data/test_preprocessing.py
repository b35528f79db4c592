"""Preprocessing against hand-worked values, numpy and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest

from cxrbench.data.preprocessing import PRESETS, Preset, preprocess, spare_factor
from cxrbench.foundation.errors import UserError

skimage_transform = pytest.importorskip("skimage.transform")

RANDOM = np.random.default_rng(11)
EIGHT = RANDOM.integers(20, 200, (64, 64)).astype(np.uint8)
SIXTEEN = RANDOM.integers(3000, 40000, (64, 64)).astype(np.uint16)


def rescaled(image: np.ndarray) -> np.ndarray:
    """The definition, word for word."""
    clip = np.percentile(image, 99)
    return np.rint(255 * (np.minimum(image, clip) - image.min()) / (clip - image.min()))


def test_worked_by_hand():
    # 100 pixels 0, 1, ..., 99 and p99 = 98.01 (between 98 and 99): 49 -> 255 x 49 / 98.01 = 127.49.
    image = np.arange(100, dtype=np.uint8).reshape(10, 10)
    result = preprocess(image, 10).ravel()
    assert result.dtype == np.uint8
    assert result[[0, 1, 49, 50, 98, 99]].tolist() == [0, 3, 127, 130, 255, 255]


def test_paper_only_clips_eight_bits():
    image = np.arange(100, dtype=np.uint8).reshape(10, 10) + 100
    # p99 = 198.01: nothing moves but the brightest pixel, from 199 to 198.
    np.testing.assert_array_equal(preprocess(image, 10, "paper").ravel(), [*range(100, 199), 198])


def test_paper_rescales_sixteen_bits():
    np.testing.assert_array_equal(preprocess(SIXTEEN, 64, "paper"), preprocess(SIXTEEN, 64))


def test_unstretched_leaves_eight_bits_as_they_are():
    np.testing.assert_array_equal(preprocess(EIGHT, 64, "unstretched"), EIGHT)
    bright = EIGHT.copy()
    bright[0, 0] = 255
    np.testing.assert_array_equal(preprocess(bright, 64, "unstretched"), bright)


def test_unstretched_scales_sixteen_bits_by_the_range_of_their_type():
    # 257 x k is 255 x 257 k / 65535 = k.
    np.testing.assert_array_equal(preprocess(EIGHT.astype(np.uint16) * 257, 64, "unstretched"), EIGHT)
    np.testing.assert_array_equal(preprocess(SIXTEEN, 64, "unstretched"), np.rint(SIXTEEN / 65535 * 255))


def test_unstretched_keeps_the_difference_of_two_images_that_belong_together():
    darker = EIGHT - 20
    found = [preprocess(image, 32, "unstretched").astype(int) for image in (EIGHT, darker)]
    np.testing.assert_array_equal(found[0] - found[1], 20)
    np.testing.assert_array_equal(preprocess(EIGHT, 32), preprocess(darker, 32))


@pytest.mark.parametrize("image", [EIGHT, SIXTEEN], ids=["8 bits", "16 bits"])
def test_without_resizing_it_is_the_definition(image: np.ndarray):
    np.testing.assert_array_equal(preprocess(image, 64), rescaled(image))


def test_the_scale_of_the_values_does_not_matter():
    np.testing.assert_array_equal(preprocess(EIGHT, 64), preprocess(EIGHT.astype(np.uint16) * 128 + 4000, 64))


def test_a_bright_marker_does_not_darken_the_rest():
    marked = EIGHT.copy()
    marked[:2, :10] = 255  # 0.5 % of the pixels
    assert np.abs(preprocess(marked, 64)[5:].astype(int) - preprocess(EIGHT, 64)[5:]).max() <= 2


@pytest.mark.parametrize("shape", [(64, 64), (40, 90), (127, 70)])
def test_linear_interpolation_equals_scikit_image(shape: tuple[int, int]):
    image = RANDOM.integers(1000, 60000, shape).astype(np.uint16)
    linear = skimage_transform.resize(image, (64, 64), order=1, mode="edge", anti_aliasing=False, preserve_range=True)
    np.testing.assert_allclose(preprocess(image, 64), rescaled(linear), atol=1)


def test_shrinking_by_a_whole_factor_is_the_mean_over_boxes():
    image = RANDOM.integers(0, 65536, (256, 192)).astype(np.uint16)
    boxes = skimage_transform.downscale_local_mean(image.astype(np.float64), (4, 3))
    np.testing.assert_allclose(preprocess(image, 64), rescaled(boxes), atol=1)


@pytest.mark.parametrize(
    ("shape", "factor"),
    [((64, 64), 1), ((255, 900), 1), ((256, 256), 2), ((511, 9999), 2), ((512, 512), 4), ((2048, 4096), 16)],
)
def test_the_spare_factor_leaves_at_least_twice_the_size(shape: tuple[int, int], factor: int):
    assert spare_factor(*shape, 64) == factor


@pytest.mark.parametrize("shape", [(384, 384), (337, 403), (769, 641)])
def test_boxes_averaged_beforehand_are_the_same_boxes(shape: tuple[int, int]):
    image = RANDOM.integers(0, 65536, shape).astype(np.uint16)
    factor = spare_factor(*shape, 64)
    assert factor > 1
    full = image[: shape[0] // factor * factor, : shape[1] // factor * factor]
    boxes = skimage_transform.downscale_local_mean(full.astype(np.float64), (factor, factor))
    np.testing.assert_allclose(preprocess(np.rint(boxes).astype(np.uint16), 64), preprocess(image, 64), atol=1)


def test_fine_texture_does_not_alias():
    stripes = np.tile(np.array([60, 140], np.uint8), (256, 128))
    stripes[:, :16], stripes[:, -16:] = 0, 200
    middle = preprocess(stripes, 64)[:, 8:-8]
    assert np.ptp(middle) <= 1


def test_padding_counts_neither_for_the_minimum_nor_for_the_percentile():
    image = np.full((20, 10), 5, np.uint8)
    image[10:] = np.arange(100, dtype=np.uint8).reshape(10, 10) + 50
    padding = np.zeros((20, 10), bool)
    padding[:10] = True
    image[padding] = 50  # what the reader puts there: the darkest of the others
    doubled = np.repeat(image, 2, axis=1)
    result = preprocess(doubled, 20, "default", np.repeat(padding, 2, axis=1))
    alone = preprocess(np.repeat(np.repeat(image[10:], 2, axis=1), 2, axis=0), 20)
    assert (result[:10] == 0).all()
    np.testing.assert_array_equal(result[10:], alone[::2])


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("value", [0, 17, 255])
def test_constant_image_is_an_error(preset: Preset, value: int):
    with pytest.raises(UserError, match=f"constant value {value}"):
        preprocess(np.full((30, 30), value, np.uint8), 16, preset)


def test_black_image_with_a_marker_is_an_error():
    image = np.zeros((100, 100), np.uint8)
    image[:5, :5] = 255
    with pytest.raises(UserError, match="99 %"):
        preprocess(image, 100)


def test_only_padding_is_an_error():
    with pytest.raises(UserError, match="padding"):
        preprocess(EIGHT, 32, "default", np.ones((64, 64), bool))


def test_unknown_preset_is_named_with_the_nearest():
    with pytest.raises(UserError, match="'papre'; did you mean 'paper'"):
        preprocess(EIGHT, 32, "papre")  # type: ignore[arg-type]
