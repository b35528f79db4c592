"""Grey values of a view: brightness, contrast, blur and solarisation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from .key_numbers import between, numbers
from .recipe import REFERENCE_SIZE, Recipe

_STREAM = 2
# Below, a pixel's neighbours weigh 4 exp(-0.5 / 0.25^2) = 0.0013 together: less than half a grey value even of 255.
_LEAST_SIGMA = 0.25


@dataclass(frozen=True)
class Shades:
    """What is done to the grey values of a batch.

    Attributes:
        jittered: bool [B]: whether brightness and contrast change.
        brightness: float64 [B], a factor.
        contrast: float64 [B], a factor.
        brightness_first: bool [B].
        sigma: float64 [B]: of the blur, in pixels of the view; 0 for none.
        solarised: bool [B].
    """

    jittered: np.ndarray
    brightness: np.ndarray
    contrast: np.ndarray
    brightness_first: np.ndarray
    sigma: np.ndarray
    solarised: np.ndarray


def draw_shades(recipe: Recipe, keys: np.ndarray, size: int) -> Shades:
    """Shades of views of `size` pixels, one a key."""
    unit = numbers(keys, _STREAM, 7)
    sigma = between(unit[:, 5], *recipe.sigma) * (size / REFERENCE_SIZE)
    return Shades(
        jittered=unit[:, 0] < recipe.jitter,
        brightness=between(unit[:, 1], max(0.0, 1 - recipe.brightness), 1 + recipe.brightness),
        contrast=between(unit[:, 2], max(0.0, 1 - recipe.contrast), 1 + recipe.contrast),
        brightness_first=unit[:, 3] < 0.5,
        sigma=np.where(unit[:, 4] < recipe.blur, sigma, 0.0),
        solarised=unit[:, 6] < recipe.solarise,
    )


def shade(view: np.ndarray, shades: Shades, row: int) -> np.ndarray:
    """The view [S, S] as row `row` of `shades` changes it.

    brightness  x -> clip(b x);     contrast  x -> clip(c x + (1 - c) mean(x))     (torchvision's ColorJitter)
    blur        convolution with a Gaussian, mirrored at the border
    solarise    x -> min(x, 255 - x), which is 255 - x from 128 on
    """
    if shades.jittered[row]:
        brightness, contrast = float(shades.brightness[row]), float(shades.contrast[row])
        if shades.brightness_first[row]:
            view = _contrasted(cv2.addWeighted(view, brightness, view, 0, 0), contrast)
        else:
            view = _contrasted(view, contrast)
            view = cv2.addWeighted(view, brightness, view, 0, 0)
    if shades.sigma[row] > _LEAST_SIGMA:
        view = _blurred(view, float(shades.sigma[row]))
    if shades.solarised[row]:
        view = cv2.min(view, cv2.bitwise_not(view))
    return view


def _contrasted(view: np.ndarray, contrast: float) -> np.ndarray:
    return cv2.addWeighted(view, contrast, view, 0, (1 - contrast) * cv2.mean(view)[0])


def _blurred(view: np.ndarray, sigma: float) -> np.ndarray:
    # Two to six times as fast as OpenCV's GaussianBlur, which computes its kernel in software floating point; the
    # kernel reaches to three standard deviations, and results differ by one grey value at most.
    kernel = cv2.getGaussianKernel(2 * math.ceil(3 * sigma) + 1, sigma, cv2.CV_32F)
    return cv2.sepFilter2D(view, -1, kernel, kernel)
