"""Errors of pixels: peak signal-to-noise ratio and root mean squared error, one number an image."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .grey_images import values_of_pairs

# Of an 8-bit image, above 0.
_GREY_LEVELS = 255


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each pair of images in dB, for a data range of 1: -10 log10(MSE).

    Two equal images have no error and an infinite ratio: that is what is returned, and a mean must leave it out.

    Args:
        a, b: floats [N, 1, H, W] or [N, H, W] in [0, 1].

    Returns float64 [N] on their device. Raises ValueError for other shapes or types, NaN, values outside [0, 1].
    """
    return -10 * torch.log10(_mean_squared_errors(a, b))


def rmse(a: Tensor, b: Tensor) -> Tensor:
    """Root mean squared error of each pair of images in grey levels of 8 bits: 255 times that of values in [0, 1].

    Of one image it says what PSNR says: PSNR = 20 log10(255 / RMSE). CheSS (Cho 2023) prints 3.301 beside 37.77 dB,
    which fits this scale.

    Takes, returns and raises what `psnr` does; 0 where the images are equal.
    """
    return _GREY_LEVELS * _mean_squared_errors(a, b).sqrt()


def _mean_squared_errors(a: Tensor, b: Tensor) -> Tensor:
    return values_of_pairs(a, b, _of_images, lambda x, y: (x - y).square_().mean(dim=(1, 2)))


def _of_images(a: np.ndarray, b: np.ndarray) -> float:
    error = a - b
    error *= error
    return float(error.mean(dtype=np.float64))
