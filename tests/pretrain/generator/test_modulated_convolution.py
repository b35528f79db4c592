"""Scaled activations give what convolutions with weights of each image's own give."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cxrbench.pretrain.generator.filters import Fir
from cxrbench.pretrain.generator.modulated_convolution import modulated_convolution, modulated_image

from . import equations
from .small import draw


@pytest.mark.parametrize("up", [False, True])
def test_demodulated_convolution_is_that_of_the_equations(up: bool) -> None:
    x, weight, style = draw(3, 4, 5, 5), draw(6, 4, 3, 3, seed=1), draw(3, 4, seed=2)
    maps, scales = modulated_convolution(x, weight, style, Fir().double() if up else None)
    found = (maps * scales[:, :, None, None]).numpy()
    for image in range(3):
        own = equations.modulated(weight.numpy(), style[image].numpy(), demodulate=True)
        wanted = (equations.up_convolve if up else equations.correlate)(x[image].numpy(), own)
        np.testing.assert_allclose(found[image], wanted, atol=1e-13)


def test_demodulated_weights_have_unit_norm_whatever_the_style() -> None:
    # On an impulse the result is the kernel itself.
    x = torch.zeros(2, 1, 3, 3, dtype=torch.float64)
    x[:, :, 1, 1] = 1
    style = torch.tensor([[0.5], [40.0]], dtype=torch.float64)
    maps, scales = modulated_convolution(x, draw(4, 1, 3, 3), style)
    norms = (maps * scales[:, :, None, None]).square().sum(dim=(2, 3))
    torch.testing.assert_close(norms, torch.ones_like(norms), rtol=0, atol=1e-6)


def test_a_style_of_zero_gives_zero_and_not_nan() -> None:
    maps, scales = modulated_convolution(draw(1, 2, 4, 4), draw(3, 2, 3, 3), torch.zeros(1, 2, dtype=torch.float64))
    assert (maps * scales[:, :, None, None]).abs().max() == 0
    # 1e-8 stands under the root.
    torch.testing.assert_close(scales, torch.full_like(scales, 18**-0.5 * 1e4))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_images_are_mixtures_without_demodulation(channels: int, memory: torch.memory_format) -> None:
    x, weight, style = draw(2, 4, 5, 6), draw(channels, 4, 1, 1, seed=1), draw(2, 4, seed=2)
    found = modulated_image(x.contiguous(memory_format=memory), weight, style)
    wanted = np.einsum("nihw,oi,ni->nohw", x.numpy(), weight.numpy()[:, :, 0, 0] / 2, style.numpy())
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-13)
