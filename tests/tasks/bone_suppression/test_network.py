"""The U-Net begins as the identity, keeps images apart, and is as large as it says."""

from __future__ import annotations

import pytest
import torch

from cxrbench.tasks.bone_suppression.network import ResidualUNet
from cxrbench.tasks.bone_suppression.network_size import stride_of
from cxrbench.tasks.bone_suppression.settings import BoneSuppressionSettings


def trained_a_little(widths: tuple[int, ...] = (8, 16)) -> ResidualUNet:
    network = ResidualUNet(widths, 0)
    torch.nn.init.normal_(network.bones.weight, generator=torch.Generator().manual_seed(0))
    return network


def test_without_training_it_gives_the_film() -> None:
    film = torch.rand(2, 1, 32, 48)
    assert torch.equal(ResidualUNet((8, 16, 32), 3)(film), film)


def test_half_a_million_weights_by_default() -> None:
    network = ResidualUNet(BoneSuppressionSettings().widths, 0)
    assert sum(each.numel() for each in network.parameters()) == 487_713


def test_weights_follow_the_seed_and_leave_torch_s_generator_alone() -> None:
    before = torch.random.get_rng_state()
    one, same, other = (ResidualUNet((8, 16), seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["down.0.0.weight"], other["down.0.0.weight"])


@pytest.mark.parametrize("training", [True, False])
def test_no_image_depends_on_its_batch(training: bool) -> None:
    network = trained_a_little().double().train(training)
    films = torch.rand(4, 1, 16, 16, dtype=torch.float64)
    alone = torch.cat([network(film[None]) for film in films])
    assert not torch.equal(alone, films)
    torch.testing.assert_close(network(films), alone, rtol=0, atol=1e-12)


def test_every_weight_is_trained_once_the_last_layer_moves() -> None:
    network = trained_a_little((8, 16, 32))
    network(torch.rand(2, 1, 32, 32)).square().mean().backward()
    assert all(each.grad is not None and each.grad.abs().sum() > 0 for each in network.parameters())


@pytest.mark.parametrize(("widths", "stride"), [((16,), 1), ((8, 16), 2), ((16, 32, 64, 128), 8)])
def test_sides_are_multiples_of_the_stride(widths: tuple[int, ...], stride: int) -> None:
    assert stride_of(widths) == stride
    assert ResidualUNet(widths, 0)(torch.rand(1, 1, 3 * stride, 5 * stride)).shape == (1, 1, 3 * stride, 5 * stride)
