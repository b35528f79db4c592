"""Structural similarity, one number an image."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from .grey_images import values_of_pairs

WINDOW = 11
_SIGMA = 1.5
_HALF = WINDOW // 2
# (K L)^2 of equation 13, with the paper's K and a data range L of 1.
_C1, _C2 = 0.01**2, 0.03**2


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity of each pair of images (Wang 2004, IEEE TIP 13:600, equation 13), 1 where they are equal.

    Gaussian window of 11 pixels and sigma 1.5, data range 1, covariances divided by N and not N - 1; the mean is over
    the windows that lie inside the image as a whole. Equal to `structural_similarity` of scikit-image 0.26 with
    gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1 (its defaults are another metric).

    On a processor images of float64 are smoothed in float64, others in float32, by OpenCV; on a GPU all in float64.

    Args:
        a, b: floats [N, 1, H, W] or [N, H, W] in [0, 1], at least 11 pixels high and wide.

    Returns float64 [N] on their device. Raises ValueError for other shapes or types, NaN, values outside [0, 1], and
    smaller images.
    """
    if min(a.shape[-2:], default=0) < WINDOW:
        raise ValueError(f"images {list(a.shape)} are smaller than SSIM's window of {WINDOW} pixels")
    weights = _gaussian()
    of_images, of_batch = partial(_of_images, weights=weights.numpy()), partial(_of_batch, weights=weights.tolist())
    return values_of_pairs(a, b, of_images, of_batch)


def _of_images(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> float:
    """Of two images [H, W].

    Of the images' sum s and difference d, twice the product of means is (mean(s)^2 - mean(d)^2) / 2 and the sum of
    their squares (mean(s)^2 + mean(d)^2) / 2, and so for covariances: four maps to smooth instead of five. Where two
    images are nearly equal, d keeps the digits that a difference of large numbers would lose.
    """
    import cv2

    total, apart = a + b, a - b
    # Squares of numbers about 0 lose fewer digits to their mean than those of numbers about 1; variances are the same.
    total -= 1
    # OpenCV mirrors beyond the border. What that makes of it is left out at the end: whole arrays are quicker.
    mean_total, mean_apart = (cv2.sepFilter2D(each, -1, weights, weights) for each in (total, apart))
    total *= total
    apart *= apart
    of_total, of_apart = (cv2.sepFilter2D(each, -1, weights, weights) for each in (total, apart))
    of_total -= np.multiply(mean_total, mean_total, out=total)
    mean_apart *= mean_apart
    of_apart -= mean_apart
    mean_total += 1
    mean_total *= mean_total
    mean_total += 2 * _C1
    of_total += 2 * _C2
    above = np.subtract(mean_total, mean_apart, out=total)
    above *= np.subtract(of_total, of_apart, out=apart)
    mean_total += mean_apart
    of_total += of_apart
    mean_total *= of_total
    above /= mean_total
    return cv2.mean(above[_HALF:-_HALF, _HALF:-_HALF])[0]


def _of_batch(a: Tensor, b: Tensor, weights: list[float]) -> Tensor:
    """Of images [n, H, W] by sums alone, as convolutions of a GPU may round to fewer digits."""
    total, apart = a + b - 1, a - b
    mean_total, mean_apart = _smooth(total, weights), _smooth(apart, weights).square()
    of_total = _smooth(total.square(), weights) - mean_total.square()
    of_apart = _smooth(apart.square(), weights) - mean_apart
    mean_total = (mean_total + 1).square()
    above = (mean_total - mean_apart + 2 * _C1) * (of_total - of_apart + 2 * _C2)
    return (above / ((mean_total + mean_apart + 2 * _C1) * (of_total + of_apart + 2 * _C2))).mean(dim=(1, 2))


def _smooth(images: Tensor, weights: list[float]) -> Tensor:
    for dim in (1, 2):
        length = images.shape[dim] - WINDOW + 1
        images = sum(
            (weight * images.narrow(dim, place, length) for place, weight in enumerate(weights)),
            start=images.new_zeros(()),
        )
    return images


def _gaussian() -> Tensor:
    places = torch.arange(-_HALF, _HALF + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (places / _SIGMA) ** 2)
    return weights / weights.sum()
