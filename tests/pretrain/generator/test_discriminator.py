from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d
from torch import Tensor

from cxrbench.pretrain.generator.discriminator import (
    Discriminator,
    EqualisedConvolution,
    ResidualBlock,
    deviation_in_groups,
)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def randomness() -> torch.Generator:
    return torch.Generator().manual_seed(2)


FIR = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def test_strided_convolution_is_the_filter_and_then_every_second_place() -> None:
    image = draw(1, 1, 8, 8)
    layer = EqualisedConvolution(1, 1, 3, down=True, randomness=randomness()).double()
    smooth = convolve2d(np.pad(image[0, 0].numpy(), 2), FIR, mode="valid")
    kernel = layer.weight.detach()[0, 0].numpy() / 3
    # Networks correlate, where SciPy turns the kernel round.
    expected = convolve2d(smooth, kernel[::-1, ::-1], mode="valid")[::2, ::2]
    assert layer(image).detach()[0, 0].numpy() == pytest.approx(expected, abs=1e-12)


def test_skip_is_the_filter_and_every_second_place_times_a_weight() -> None:
    image = draw(1, 1, 8, 8)
    layer = EqualisedConvolution(1, 1, 1, down=True, bias=False, randomness=randomness()).double()
    smooth = convolve2d(np.pad(image[0, 0].numpy(), 1), FIR, mode="valid")
    expected = smooth[::2, ::2] * layer.weight.item()
    assert layer(image).detach()[0, 0].numpy() == pytest.approx(expected, abs=1e-12)


def test_rate_changes_what_an_update_does_and_not_what_the_layer_gives() -> None:
    image = draw(1, 2, 6, 6)
    plain = EqualisedConvolution(2, 3, 3, randomness=randomness()).double()
    slow = EqualisedConvolution(2, 3, 3, rate=0.1, randomness=randomness()).double()
    assert torch.allclose(plain(image), slow(image))
    for each in (plain, slow):
        with torch.no_grad():
            each.weight.add_(1)
    before = EqualisedConvolution(2, 3, 3, randomness=randomness()).double()(image)
    assert torch.allclose(slow(image) - before, 0.1 * (plain(image) - before))


def test_residual_block_keeps_variance_and_halves_the_side() -> None:
    block = ResidualBlock(2, 5, randomness()).double()
    found = block(draw(3, 2, 8, 8))
    assert found.shape == (3, 5, 4, 4)
    main = torch.nn.functional.leaky_relu
    maps = draw(3, 2, 8, 8)
    inner = math.sqrt(2) * main(block.first(maps), 0.2)
    outer = math.sqrt(2) * main(block.down(inner), 0.2)
    assert torch.allclose(block(maps), (outer + block.skip(maps)) / math.sqrt(2))


@pytest.mark.parametrize(("n", "size"), [(8, 4), (6, 3), (5, 1), (4, 4), (2, 2)])
def test_deviation_is_that_of_numpy_over_each_group(n: int, size: int) -> None:
    maps = draw(n, 3, 2, 2).float()
    found = deviation_in_groups(maps)
    assert found.shape == (n, 1, 2, 2)
    groups = n // size
    for group in range(groups):
        members = maps[group::groups].numpy()
        expected = np.sqrt(members.var(axis=0) + 1e-8).mean()
        assert found[group::groups].numpy() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("resolution", "channels"), [(8, 1), (16, 3), (64, 1)])
def test_a_verdict_an_image_and_a_gradient_of_its_gradient(resolution: int, channels: int) -> None:
    network = Discriminator(resolution, channels, 128, 8)
    images = torch.rand(4, channels, resolution, resolution).requires_grad_()
    verdicts = network(images)
    assert verdicts.shape == (4,)
    (slope,) = torch.autograd.grad(verdicts.sum(), images, create_graph=True)
    slope.square().sum().backward()
    assert all(each.grad is not None for name, each in network.named_parameters() if name.endswith("weight"))


def test_equal_seeds_give_equal_weights() -> None:
    one, same, other = (Discriminator(16, 1, 64, 4, seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["last.weight"], other["last.weight"])
