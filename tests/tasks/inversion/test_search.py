"""The search itself: it finds, no image of a batch touches another, and it goes on from where it was."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from cxrbench.tasks.inversion.search import Search, State, ramp
from cxrbench.tasks.perceptual.calibration import squared_errors
from tests.tasks.inversion.examples import decibels, search, small_generator, targets


@pytest.mark.parametrize("space", ["w", "w+"])
@pytest.mark.parametrize("with_encoder", [True, False])
def test_it_comes_nearer_than_where_it_began(space: str, with_encoder: bool) -> None:
    each = search(steps=60, with_encoder=with_encoder, space=space)
    true = targets(4)
    found = each.find(true)
    shape = (4, 16) if space == "w" else (4, each.generator.spec.layers, 16)
    assert found.latents.shape == shape
    gained = decibels(each.images(found.latents), true) - decibels(each.images(each.start(4)), true)
    assert gained.min() > 3
    assert found.losses.shape == (2, 60, 4)
    assert (found.losses[:, -1] < found.losses[:, 0]).all() or not with_encoder
    assert bool((found.losses[1] > 0).all()) == with_encoder
    assert found.failed_at.tolist() == [0] * 4


def test_every_image_begins_at_the_mean_style() -> None:
    each = search(steps=1)
    assert torch.equal(each.start(3), each.generator.w_avg.expand(3, each.generator.spec.layers, 16))
    pixels = squared_errors(each.images(each.start(3)), targets(3))
    assert each.find(targets(3)).losses[0, 0] == pytest.approx(pixels.tolist(), rel=1e-6)


def test_alone_or_in_a_batch_and_in_any_order_in_float64() -> None:
    each = search(torch.float64, steps=15)
    true = targets(32, dtype=torch.float64)
    together = each.find(true)
    for place in (0, 31):
        alone = each.find(true[place : place + 1])
        torch.testing.assert_close(together.latents[place], alone.latents[0], rtol=0, atol=1e-10)
        made, by_itself = each.images(together.latents[place][None]), each.images(alone.latents)
        torch.testing.assert_close(made, by_itself, rtol=0, atol=1e-10)
    order = torch.randperm(32, generator=torch.Generator().manual_seed(0))
    shuffled = each.find(true[order])
    torch.testing.assert_close(shuffled.latents, together.latents[order], rtol=0, atol=1e-10)


@pytest.mark.parametrize("with_encoder", [True, False])
def test_alone_or_in_a_batch_in_float32(with_encoder: bool) -> None:
    # Rounding grows on the way: little with a rate that suits this untrained generator.
    each = replace(search(steps=30, with_encoder=with_encoder), lr=0.03)
    true = targets(32)
    together = decibels(each.images(each.find(true).latents), true)
    for place in (3, 20):
        alone = each.images(each.find(true[place : place + 1]).latents)
        assert decibels(alone, true[place : place + 1])[0] == pytest.approx(together[place], abs=0.05)


class _Spoilt:
    """The squared error once more, but no number for image 1 from its 6th call on."""

    def __init__(self) -> None:
        self.calls = 0

    def features(self, x: Tensor) -> list[Tensor]:
        return [x]

    def __call__(self, x: Tensor, target_features: list[Tensor]) -> Tensor:
        self.calls += 1
        spoil = torch.zeros(len(x))
        spoil[1] = torch.nan if self.calls >= 6 else 0.0
        return squared_errors(x, target_features[0]) + spoil


def test_an_image_whose_loss_is_no_number_fails_at_that_step_and_the_others_go_on() -> None:
    class Sound(_Spoilt):
        def __call__(self, x: Tensor, target_features: list[Tensor]) -> Tensor:
            return squared_errors(x, target_features[0]) + torch.zeros(len(x))

    plain = search(steps=15)
    true = targets(4)
    found, sound = (replace(plain, loss=loss).find(true) for loss in (_Spoilt(), Sound()))
    assert found.failed_at.tolist() == [0, 6, 0, 0]
    assert torch.equal(found.latents[[0, 2, 3]], sound.latents[[0, 2, 3]])
    assert np.array_equal(found.losses[:, :, [0, 2, 3]], sound.losses[:, :, [0, 2, 3]])


def test_a_target_outside_0_to_1_or_of_another_size_is_refused() -> None:
    each = search(steps=1)
    for spoilt in (targets(2) + 0.6, targets(2) - 0.6, targets(2) * torch.nan):
        with pytest.raises(ValueError, match=r"targets must lie in \[0, 1\]"):
            each.find(spoilt)
    with pytest.raises(ValueError, match="the generator makes images of 32 x 32"):
        each.find(targets(2, side=16))


class _KilledError(Exception):
    pass


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_goes_on_where_it_was_killed_bit_for_bit(dtype: torch.dtype) -> None:
    each = search(dtype, steps=20)
    true = targets(3, dtype=dtype)
    whole = each.find(true)
    kept: list[State] = []

    def die(step: int, state: Callable[[], State]) -> None:
        if step == 7:
            kept.append(state())
        if step == 9:
            raise _KilledError

    with pytest.raises(_KilledError):
        each.find(true, after_step=die)
    resumed = each.find(true, resumed=kept[0])
    assert torch.equal(resumed.latents, whole.latents)
    assert np.array_equal(resumed.losses, whole.losses)


def test_the_rate_rises_and_falls_as_in_the_projector_of_stylegan2() -> None:
    assert [ramp(share) for share in (0, 0.025, 0.05, 0.5, 0.75)] == pytest.approx([0, 0.5, 1, 1, 1])
    assert ramp(0.875) == pytest.approx(0.5)
    assert ramp(1) == pytest.approx(0)
    assert ramp(0.9) == pytest.approx(0.5 - 0.5 * math.cos(0.4 * math.pi))


def test_the_generator_is_left_as_it_was() -> None:
    generator = small_generator()
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    Search(generator, None, "w", 5, 0.1).find(targets(2))
    assert all(torch.equal(tensor, before[name]) for name, tensor in generator.state_dict().items())
    assert all(each.grad is None for each in generator.parameters())
