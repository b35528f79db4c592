"""Momentum copies: they follow exactly, without gradients, and keep their own buffers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cxrbench.pretrain.parts.momentum import cosine_momentum, follow, momentum_copy


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))


def test_a_copy_is_equal_and_apart_and_not_trained():
    one = network()
    copy = momentum_copy(one)
    for a, b in zip(copy.parameters(), one.parameters(), strict=True):
        assert torch.equal(a, b)
        assert a.data_ptr() != b.data_ptr()
        assert not a.requires_grad
        assert b.requires_grad


@pytest.mark.parametrize("momentum", [0.0, 0.25, 0.9, 0.999, 1.0])
def test_a_copy_follows_by_the_equation(momentum: float):
    one = network().double()
    copy = momentum_copy(one)
    with torch.no_grad():
        for each in one.parameters():
            each.add_(torch.randn_like(each))
    expected = [
        momentum * a.detach().clone() + (1 - momentum) * b.detach()
        for a, b in zip(copy.parameters(), one.parameters(), strict=True)
    ]
    own = [each.detach().clone() for each in one.parameters()]
    follow(copy, one, momentum)
    for a, b in zip(copy.parameters(), expected, strict=True):
        torch.testing.assert_close(a.detach(), b, rtol=1e-13, atol=1e-15)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), own, strict=True))


def test_many_steps_are_the_geometric_series():
    one = network().double()
    copy = momentum_copy(one)
    start = next(copy.parameters()).clone()
    with torch.no_grad():
        next(one.parameters()).add_(1.0)
    for _ in range(50):
        follow(copy, one, 0.9)
    torch.testing.assert_close(next(copy.parameters()), start + 1 - 0.9**50)


def test_buffers_stay_the_copys_own():
    one = network()
    copy = momentum_copy(one)
    one(torch.rand(4, 1, 4, 4))
    follow(copy, one, 0.5)
    assert not torch.equal(one[1].running_mean, copy[1].running_mean)  # type: ignore[index]
    assert int(copy[1].num_batches_tracked) == 0  # type: ignore[index]


def test_following_leaves_gradients_as_they_are():
    one = network()
    copy = momentum_copy(one)
    one(torch.rand(4, 1, 4, 4)).sum().backward()
    before = [each.grad.clone() for each in one.parameters() if each.grad is not None]
    follow(copy, one, 0.5)
    assert all(torch.equal(a, b.grad) for a, b in zip(before, one.parameters(), strict=True) if b.grad is not None)
    assert all(each.grad is None for each in copy.parameters())


def test_the_cosine_goes_from_start_to_end():
    assert cosine_momentum(0, 100, 0.99) == pytest.approx(0.99)
    assert cosine_momentum(50, 100, 0.99) == pytest.approx(0.995)
    assert cosine_momentum(100, 100, 0.99) == pytest.approx(1.0)
    assert cosine_momentum(200, 100, 0.99, 0.999) == pytest.approx(0.999)
