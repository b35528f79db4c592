"""Convolutions whose weights are scaled by a style (Karras et al. 2020, section 2.2, equations 1 and 3)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from .filters import Fir

EPSILON = 1e-8


def modulated_convolution(x: Tensor, weight: Tensor, style: Tensor, up: Fir | None = None) -> tuple[Tensor, Tensor]:
    """Convolve each image with weights of its own, without a convolution of its own.

    The weights of image n are w'[n, o, i] = s[n, i] w[o, i], divided by the root of their sum of squares over i and
    the kernel (demodulation). Scaling the maps that go in by s, and those that come out by the divisor, gives the
    same, as one ordinary convolution for the whole batch.

    Args:
        x: [N, I, H, W].
        weight: [O, I, k, k], k odd, stored near unit variance; the weights w are these over sqrt(I k k) (equalised
            learning rate).
        style: s [N, I].
        up: the filter where the side doubles (a transposed convolution of stride 2, then the filter with gain 4).

    Returns:
        Maps [N, O, H, W], or of twice the side, and their scales [N, O]: their product is the result. They are apart
        so that the caller can add its bias in the same pass over the maps.
    """
    kernel = weight.shape[-1]
    gain = (weight.shape[1] * kernel * kernel) ** -0.5
    scaled = x * style[:, :, None, None]
    if up is None:
        maps = functional.conv2d(scaled, weight, padding=kernel // 2)
    else:
        maps = up.smooth(functional.conv_transpose2d(scaled, weight.transpose(0, 1), stride=2), gain=4.0)
    squares = style.square() @ weight.square().sum(dim=(2, 3)).T
    return maps, gain * (gain * gain * squares + EPSILON).rsqrt()


def modulated_image(x: Tensor, weight: Tensor, style: Tensor) -> Tensor:
    """Each image as its own mixture of maps: the same with a kernel of one pixel, without demodulation.

    Args:
        x: [N, I, H, W].
        weight: [C, I, 1, 1], stored near unit variance, used over sqrt(I).
        style: [N, I].

    Returns:
        [N, C, H, W].
    """
    own = style[:, None] * weight[:, :, 0, 0] * weight.shape[1] ** -0.5
    pixels = x.flatten(2)
    # With channels last the pixels lie one after another, and this multiplies what lies in memory without a copy.
    return (pixels.transpose(1, 2) @ own.transpose(1, 2)).transpose(1, 2).unflatten(2, x.shape[2:])
