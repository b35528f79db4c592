from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage
from torchvision.transforms import functional as tv

from cxrbench.data.views.recipe import Recipe
from cxrbench.data.views.shading import Shades, draw_shades, shade


@pytest.fixture(scope="module")
def view() -> np.ndarray:
    noise = np.random.default_rng(0).normal(128, 300, (64, 64))
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 2), 0, 255).astype(np.uint8)


def shades(
    brightness: float | None = None,
    contrast: float = 1.0,
    first: bool = True,
    sigma: float = 0.0,
    solarised: bool = False,
) -> Shades:
    return Shades(
        np.array([brightness is not None]),
        np.array([brightness or 1.0]),
        np.array([contrast]),
        np.array([first]),
        np.array([sigma]),
        np.array([solarised]),
    )


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(("brightness", "contrast"), [(1.4, 0.6), (0.6, 1.4), (1.8, 1.8), (0.2, 0.2), (1.1, 1.0)])
def test_brightness_and_contrast_are_torchvisions(
    view: np.ndarray, brightness: float, contrast: float, first: bool
) -> None:
    theirs = torch.from_numpy(view)[None]
    steps = [lambda x: tv.adjust_brightness(x, brightness), lambda x: tv.adjust_contrast(x, contrast)]
    for step in steps if first else steps[::-1]:
        theirs = step(theirs)
    changed = shade(view, shades(brightness, contrast, first), 0)
    # They cut fractions off after each of the steps, which here are rounded.
    assert np.abs(changed.astype(int) - theirs[0].numpy()).max() <= 2 + brightness


def test_the_order_of_brightness_and_contrast_matters(view: np.ndarray) -> None:
    one, other = (shade(view, shades(1.8, 0.5, first), 0).astype(int) for first in (True, False))
    assert np.abs(one - other).max() > 5


@pytest.mark.parametrize("sigma", [0.3, 0.8, 2.0])
def test_blur_is_a_gaussian_mirrored_at_the_border(view: np.ndarray, sigma: float) -> None:
    truth = ndimage.gaussian_filter(view.astype(float), sigma, mode="mirror", radius=int(np.ceil(3 * sigma)))
    assert np.abs(shade(view, shades(sigma=sigma), 0) - truth).max() < 1.5


@pytest.mark.parametrize("sigma", [0.1, 0.7, 2.0, 9.0])
def test_blur_leaves_an_even_image_as_it_is(sigma: float) -> None:
    for grey in (0, 1, 77, 254, 255):
        even = np.full((64, 64), grey, np.uint8)
        np.testing.assert_array_equal(shade(even, shades(sigma=sigma), 0), even)


def test_solarisation_is_torchvisions(view: np.ndarray) -> None:
    theirs = tv.solarize(torch.from_numpy(view)[None], 128)[0].numpy()
    np.testing.assert_array_equal(shade(view, shades(solarised=True), 0), theirs)


def test_nothing_drawn_is_nothing_done(view: np.ndarray) -> None:
    np.testing.assert_array_equal(shade(view, shades(), 0), view)


def test_strengths_and_frequencies_are_the_recipes() -> None:
    recipe = Recipe(jitter=0.8, brightness=0.4, contrast=0.2, blur=0.5, solarise=0.2)
    drawn = draw_shades(recipe, np.arange(5000), 448)
    assert drawn.jittered.mean() == pytest.approx(0.8, abs=0.02)
    assert drawn.brightness_first.mean() == pytest.approx(0.5, abs=0.02)
    assert (drawn.sigma > 0).mean() == pytest.approx(0.5, abs=0.02)
    assert drawn.solarised.mean() == pytest.approx(0.2, abs=0.02)
    for values, least, most in (
        (drawn.brightness, 0.6, 1.4),
        (drawn.contrast, 0.8, 1.2),
        # 0.1 to 2 pixels at 224.
        (drawn.sigma[drawn.sigma > 0], 0.2, 4.0),
    ):
        assert least <= values.min() < least + 0.01 * (most - least)
        assert most - 0.01 * (most - least) < values.max() <= most
        assert values.mean() == pytest.approx((least + most) / 2, rel=0.02)


def test_brightness_stays_above_black() -> None:
    assert draw_shades(Recipe(brightness=1.5), np.arange(1000), 64).brightness.min() >= 0
