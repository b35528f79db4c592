"""Random weights: the published distributions, equal for equal seeds, and no touch on global randomness."""

from __future__ import annotations

import math

import pytest
import torch

from cxrbench.pretrain.initialisation import draw_network, private_randomness
from cxrbench.pretrain.network import Network


def _conv(network: Network) -> torch.Tensor:
    return network.library().state_dict()["layer4.0.conv2.weight"]


def test_uniform_xavier_has_glorots_bounds():
    # 512 -> 512 channels, 3 x 3: fan in = fan out = 4608, bound = sqrt(6 / 9216).
    weight = _conv(draw_network(0, arch="resnet18", channels=1, initialisation="xavier_uniform"))
    bound = math.sqrt(6 / 9216)
    assert weight.abs().max() <= bound
    assert weight.abs().max() > 0.999 * bound
    # A uniform distribution on [-b, b] has standard deviation b / sqrt(3) and kurtosis 1.8.
    assert float(weight.std()) == pytest.approx(bound / math.sqrt(3), rel=0.01)
    assert float((weight**4).mean() / weight.var() ** 2) == pytest.approx(1.8, rel=0.01)


def test_kaiming_has_hes_deviation():
    weight = _conv(draw_network(0, arch="resnet18", channels=1, initialisation="kaiming"))
    # Fan out 512 * 9, gain sqrt(2); a normal distribution has kurtosis 3.
    assert float(weight.std()) == pytest.approx(math.sqrt(2 / 4608), rel=0.01)
    assert float((weight**4).mean() / weight.var() ** 2) == pytest.approx(3.0, rel=0.02)


@pytest.mark.parametrize("initialisation", ["xavier_uniform", "kaiming", "library"])
def test_seeds_decide_the_weights_and_nothing_else_does(initialisation):
    torch.manual_seed(1)
    one = _conv(draw_network(7, arch="resnet18", channels=1, initialisation=initialisation))
    torch.manual_seed(2)
    same = _conv(draw_network(7, arch="resnet18", channels=1, initialisation=initialisation))
    other = _conv(draw_network(8, arch="resnet18", channels=1, initialisation=initialisation))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_global_randomness_is_left_as_it_was():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    draw_network(7, arch="resnet18", channels=3, initialisation="library")
    assert torch.equal(torch.rand(4), expected)


def test_global_randomness_comes_back_after_an_error():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError), private_randomness(5):
        _ = torch.rand(1) * (1 / 0)
    assert torch.equal(torch.get_rng_state(), before)
