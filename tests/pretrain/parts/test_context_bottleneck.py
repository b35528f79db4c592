from __future__ import annotations

import numpy as np
import pytest
import torch

from cxrbench.pretrain.parts.context_bottleneck import ContextBottleneck


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x)))


def by_hand(y, narrow, wide, kernel):
    """One image [C, H, W], in loops over channels and positions."""
    channels, height, width = y.shape

    def shared(v):
        return wide @ np.maximum(narrow @ v, 0)

    channel = sigmoid(shared(y.reshape(channels, -1).mean(1)) + shared(y.reshape(channels, -1).max(1)))
    k = channel[:, None, None] * y
    summary = np.pad(np.stack([k.mean(0), k.max(0)]), ((0, 0), (3, 3), (3, 3)))
    found = np.empty_like(y)
    for i in range(height):
        for j in range(width):
            found[:, i, j] = sigmoid((summary[:, i : i + 7, j : j + 7] * kernel).sum()) * k[:, i, j]
    return found


def test_maps_are_weighted_by_channels_and_then_by_positions():
    torch.manual_seed(0)
    bottleneck = ContextBottleneck(6).double()
    y = torch.randn(3, 6, 5, 9, dtype=torch.float64)
    narrow, wide, kernel = (each.detach().numpy() for each in bottleneck.parameters())
    assert (narrow.shape, wide.shape, kernel.shape) == ((3, 6, 1, 1), (6, 3, 1, 1), (1, 2, 7, 7))
    expected = [by_hand(each, narrow[:, :, 0, 0], wide[:, :, 0, 0], kernel[0]) for each in y.numpy()]
    np.testing.assert_allclose(bottleneck(y).detach().numpy(), expected, rtol=1e-12)


def test_attention_of_a_case_small_enough_for_paper():
    bottleneck = ContextBottleneck(2)
    with torch.no_grad():
        narrow, wide, kernel = bottleneck.parameters()
        narrow.copy_(torch.tensor([[1.0, -1.0]]).view(1, 2, 1, 1))
        wide.copy_(torch.tensor([[1.0], [2.0]]).view(2, 1, 1, 1))
        kernel.zero_()
        # Only the middle of the kernel, and only the mean over channels.
        kernel[0, 0, 3, 3] = 1
    y = torch.tensor([[[0.0, 4.0]], [[0.0, 1.0]]]).unsqueeze(0)
    # Means (2, 0.5) and maxima (4, 1): inside 1.5 and 3, so 4.5 and 9 outside.
    channel = [1 / (1 + np.exp(-4.5)), 1 / (1 + np.exp(-9.0))]
    np.testing.assert_allclose(bottleneck.channel_attention(y).detach().flatten(), channel, rtol=1e-6)
    k = [4 * channel[0], channel[1]]
    position = 1 / (1 + np.exp(-(k[0] + k[1]) / 2))
    found = bottleneck(y)[0, :, 0].detach().numpy()
    np.testing.assert_allclose(found, [[0, k[0] * position], [0, k[1] * position]], rtol=1e-6)


@pytest.mark.parametrize("channels", [1, 5])
def test_any_number_of_channels_is_taken(channels):
    assert ContextBottleneck(channels)(torch.randn(2, channels, 3, 3)).shape == (2, channels, 3, 3)
