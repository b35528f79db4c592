from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cxrbench.pretrain.generator.adversarial_training import AdversarialLosses, Judge, as_images, judge_of
from cxrbench.pretrain.generator.fitting import fit_generator
from cxrbench.pretrain.generator.network import Generator
from cxrbench.training.stopping import StoppedError

from .generator_cases import as_images as in_a_cache
from .generator_cases import blobs, gan


class Flat(nn.Module):
    """Makes the same grey image whatever it is told."""

    def forward(self, w: Tensor, noise: str) -> Tensor:
        return torch.full((len(w), 1, 16, 16), -0.25)


class Slope(nn.Module):
    """D(x) = the sum of x, times a weight."""

    def __init__(self, weight: float):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1).sum(dim=1) * self.weight


def plain(**changes: Any) -> tuple[AdversarialLosses, Generator, Judge]:
    """Losses, a generator, and a judge without augmentation whose verdict is 0.01 times the sum."""
    settings = gan(**{"augmentation.probability": 0, "augmentation.target": 0, "gamma": 8, **changes})
    generator = Generator(settings.generator.spec(16))
    judge = judge_of(generator, settings, 1)
    judge.discriminator = Slope(0.01)  # type: ignore[assignment]
    return AdversarialLosses(settings), generator, judge


def test_losses_are_the_logistic_ones_worked_by_hand() -> None:
    losses, generator, judge = plain(style_mixing=0)
    real = torch.full((4, 1, 16, 16), 0.75)
    generator.synthesis = Flat()  # type: ignore[assignment]
    # 256 pixels of 0.5 and of -0.25, times 0.01.
    verdict, fake = 1.28, -0.64
    found = losses.discriminator(generator, judge, real)
    assert found["loss"].item() == pytest.approx(math.log1p(math.exp(fake)) + math.log1p(math.exp(-verdict)), rel=1e-5)
    assert found["sign"].item() == 1
    assert losses.generator(generator, judge, real)["loss"].item() == pytest.approx(
        math.log1p(math.exp(-fake)), rel=1e-5
    )


def test_penalty_is_half_gamma_times_the_squared_gradient() -> None:
    losses, generator, judge = plain()
    found = losses.penalty(generator, judge, torch.rand(4, 1, 16, 16))
    assert found.item() == pytest.approx(8 / 2 * 256 * 0.01**2)
    found.backward()
    slope: Any = judge.discriminator
    # d/dw gamma / 2 256 w^2.
    assert slope.weight.grad.item() == pytest.approx(8 * 256 * 0.01, rel=1e-5)


def test_mean_of_w_is_followed_by_the_generator_step_only() -> None:
    losses, generator, judge = plain(w_momentum=0.9)
    batch = torch.rand(4, 1, 16, 16)
    losses.discriminator(generator, judge, batch)
    assert bool((generator.w_avg == 0).all())
    torch.manual_seed(5)
    z = torch.randn(2, 4, 8)[0]
    torch.manual_seed(5)
    losses.generator(generator, judge, batch)
    assert torch.allclose(generator.w_avg, 0.1 * generator.mapping(z).mean(0).detach(), atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_mixed_styles_are_those_of_two_latents(share: float) -> None:
    losses, generator, _ = plain(style_mixing=share)
    w, z = torch.zeros(50, 8), torch.randn(50, 8)
    styles = losses._mixed(generator, w, z)
    assert styles.shape == (50, generator.spec.layers, 8)
    second = (styles != 0).any(dim=2)
    assert not bool(second[:, 0].any())
    assert bool(second[:, -1].all()) == bool(share)
    # Once the second latent begins it goes on.
    assert bool((second[:, 1:] >= second[:, :-1]).all())


def test_grey_images_become_as_many_channels_in_the_generators_range() -> None:
    found = as_images(torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1, 1), 3)
    assert found[:, 1].flatten().tolist() == [-1, 0, 1]
    assert found.shape == (3, 3, 1, 1)


def trained(channels: int = 1, **arguments: Any) -> tuple[dict[str, Tensor], list[dict[str, float]]]:
    settings = gan(**{"training.average_half_life": 10, "generator.channels": channels})
    parts = (in_a_cache(blobs()),)
    fitted = fit_generator(settings.generator.spec(16), settings, parts, 3, **arguments)
    assert not fitted.generator.training
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in fitted.rows]
    return fitted.generator.state_dict(), rows


def test_a_few_steps_train_repeatably_and_go_on_where_they_were_stopped(tmp_path: Path) -> None:
    whole, rows = trained()
    calls = iter(range(1, 9))
    with pytest.raises(StoppedError):
        trained(checkpoint=tmp_path / "state.pt", stop=lambda: next(calls) == 2)
    resumed, resumed_rows = trained(checkpoint=tmp_path / "state.pt")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert rows == resumed_rows
    assert {"penalty", "discriminator_probability", "discriminator_sign", "generator_loss"} <= set(rows[0])
    assert bool(whole["mapping.w_avg"].abs().sum() > 0)
    fresh = Generator(gan().generator.spec(16), 3).state_dict()
    assert not torch.equal(whole["synthesis.b4.const"], fresh["synthesis.b4.const"])


def test_three_channels_train_too() -> None:
    assert trained(channels=3)[0]["synthesis.b16.torgb.weight"].shape[0] == 3


def test_bf16_trains_finite_weights_in_float32() -> None:
    settings = gan(**{"training.precision": "bf16"})
    weights = fit_generator(settings.generator.spec(16), settings, (in_a_cache(blobs()),), 3).generator.state_dict()
    assert all(value.dtype == torch.float32 and bool(value.isfinite().all()) for value in weights.values())
