"""Distances in feature maps: by hand, by finite differences, image by image, and whatever the scale of the features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain import load_encoder
from cxrbench.tasks.perceptual.loss import PerceptualLoss, check_encoder
from cxrbench.tasks.perceptual.settings import CHESS, PerceptualSettings
from cxrbench.tasks.reference import reference
from tests.pretrain.tiny_encoder import tiny_encoder
from tests.tasks.perceptual.examples import encoder_of, images, scaled, two_channels

UNIT, RAW = PerceptualSettings(), PerceptualSettings(features="raw")
FIRST_ONLY = (1.0, 0.0, 0.0, 0.0, 0.0)


def loss_and_gradient(loss: PerceptualLoss, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    value = loss(x, loss.features(target))
    return value.detach(), torch.autograd.grad(value.sum(), x)[0]


def unit(maps: np.ndarray) -> np.ndarray:
    squares = (maps**2).sum(axis=1, keepdims=True)
    return maps / np.sqrt(squares + 0.01 * squares.mean(axis=(2, 3), keepdims=True))


def by_numpy(x: Tensor, target: Tensor, settings: PerceptualSettings) -> np.ndarray:
    """The definition, written again without torch."""
    total = np.zeros(len(x))
    for share, mine, true in zip(settings.stage_weights, two_channels(x), two_channels(target), strict=True):
        a, b = mine.numpy(), true.numpy()
        if settings.features == "unit":
            a, b = unit(a), unit(b)
        each = np.abs(a - b) if settings.distance == "l1" else (a - b) ** 2
        over_channels = each.sum(axis=1) if settings.features == "unit" else each.mean(axis=1)
        total += share * over_channels.mean(axis=(1, 2))
    return total


@pytest.mark.parametrize("distance", ["l1", "l2"])
@pytest.mark.parametrize("features", ["unit", "raw"])
def test_it_is_what_its_definition_says(distance: str, features: str) -> None:
    weights = (1.0, 0.5, 2.0, 0.25, 3.0)
    settings = PerceptualSettings.model_validate({"stage_weights": weights, "distance": distance, "features": features})
    x, target = images(3, 1, dtype=torch.float64), images(3, 2, dtype=torch.float64)
    loss = PerceptualLoss(encoder_of(two_channels), settings, weight=4.0).double()
    found = loss(x, loss.features(target)).numpy()
    np.testing.assert_allclose(found, 4.0 * by_numpy(x, target, settings), rtol=1e-12)


def test_one_position_by_hand() -> None:
    # Channels (3, 4) against (4, 3): unit vectors (0.6, 0.8) and (0.8, 0.6), their squares less the floor of 1 %.
    def maps(x: Tensor) -> list[Tensor]:
        bright = x.mean((2, 3), keepdim=True)
        return [torch.cat([3 + bright, 4 - bright], dim=1)] * 5

    dark, bright = torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    expected = {("unit", "l2"): 0.08 / 1.01, ("unit", "l1"): 0.4 / 1.01**0.5, ("raw", "l2"): 1.0, ("raw", "l1"): 1.0}
    for (features, distance), value in expected.items():
        settings = PerceptualSettings.model_validate(
            {"features": features, "distance": distance, "stage_weights": FIRST_ONLY}
        )
        loss = PerceptualLoss(encoder_of(maps), settings)
        assert loss(dark, loss.features(bright)).tolist() == pytest.approx([value], rel=1e-6)


def test_the_loss_of_chess_weighs_the_deepest_map_most() -> None:
    def ones(x: Tensor) -> list[Tensor]:
        return [x.mean((2, 3), keepdim=True)] * 5

    loss = PerceptualLoss(encoder_of(ones), CHESS, CHESS.weight)
    found = loss(torch.zeros(2, 1, 8, 8), loss.features(torch.ones(2, 1, 8, 8)))
    assert found.tolist() == [10 * (1 / 32 + 1 / 16 + 1 / 8 + 1 / 4 + 1)] * 2


@pytest.mark.parametrize("settings", [UNIT, RAW, PerceptualSettings(distance="l1")])
def test_the_gradient_is_that_of_finite_differences(settings: PerceptualSettings) -> None:
    loss = PerceptualLoss(tiny_encoder(), settings, weight=0.7).double()
    target = loss.features(images(2, 1, 32, torch.float64))
    x = images(2, 2, 32, torch.float64).requires_grad_()
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    (gradient,) = torch.autograd.grad(loss(x, target).sum(), x)
    step = 1e-7
    with torch.no_grad():
        change = (loss(x + step * direction, target) - loss(x - step * direction, target)).sum() / (2 * step)
    assert float((gradient * direction).sum()) == pytest.approx(float(change), rel=1e-5)


@pytest.mark.parametrize("factor", [0.01, 0.1, 10.0, 100.0])
def test_unit_features_have_no_scale(factor: float) -> None:
    x, target = images(2, 1), images(2, 2)
    value, gradient = loss_and_gradient(PerceptualLoss(scaled(1.0), UNIT), x, target)
    other, other_gradient = loss_and_gradient(PerceptualLoss(scaled(factor), UNIT), x, target)
    torch.testing.assert_close(other, value, rtol=1e-5, atol=0)
    torch.testing.assert_close(other_gradient, gradient, rtol=1e-3, atol=1e-6 * float(gradient.abs().max()))


def test_short_vectors_count_less() -> None:
    # One position in 1024 is a hundred times shorter than the others, and turns round.
    def maps(x: Tensor) -> list[Tensor]:
        return [torch.cat([x, 1 - x], dim=1)] * 5

    settings = PerceptualSettings(stage_weights=FIRST_ONLY)
    loss = PerceptualLoss(encoder_of(maps), settings).double()
    x = torch.ones(1, 1, 32, 32, dtype=torch.float64)
    short = PerceptualLoss(encoder_of(lambda x: [each * _dimmed(x) for each in maps(x)]), settings).double()
    turned = x.clone()
    turned[0, 0, 5, 5] = 0
    # (1, 0) against (0, 1) is a squared distance of 2; shortened to 0.01, of 2 x 1e-4 / (1e-4 + 1e-2).
    assert float(loss(turned, loss.features(x))) * 1024 == pytest.approx(2 / 1.01, rel=1e-3)
    assert float(short(turned, short.features(x))) * 1024 == pytest.approx(2 / 101, rel=1e-2)


def _dimmed(x: Tensor) -> Tensor:
    lengths = torch.ones_like(x)
    lengths[..., 5, 5] = 0.01
    return lengths


def test_maps_of_zeros_have_no_distance_and_a_finite_gradient() -> None:
    def dead(x: Tensor) -> list[Tensor]:
        return [torch.relu(x - 2)] * 5

    value, gradient = loss_and_gradient(PerceptualLoss(encoder_of(dead), UNIT), images(2, 1), images(2, 2))
    assert value.tolist() == [0.0, 0.0]
    assert bool((gradient == 0).all())


@pytest.mark.parametrize("settings", [UNIT, RAW])
def test_no_image_depends_on_another(settings: PerceptualSettings) -> None:
    loss = PerceptualLoss(tiny_encoder(), settings).double()
    x, target = images(4, 1, dtype=torch.float64), images(4, 2, dtype=torch.float64)
    together, gradient = loss_and_gradient(loss, x, target)
    alone, own = loss_and_gradient(loss, x[2:3], target[2:3])
    torch.testing.assert_close(together[2:3], alone, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient[2:3], own, rtol=1e-10, atol=1e-15)


def test_one_image_that_is_no_number_leaves_the_others_as_they_are() -> None:
    loss = PerceptualLoss(tiny_encoder(), UNIT)
    x, target = images(3, 1), images(3, 2)
    value, gradient = loss_and_gradient(loss, x, target)
    x[1] = torch.nan
    spoilt, spoilt_gradient = loss_and_gradient(loss, x, target)
    assert spoilt.isnan().tolist() == [False, True, False]
    assert torch.equal(spoilt[[0, 2]], value[[0, 2]])
    assert torch.equal(spoilt_gradient[[0, 2]], gradient[[0, 2]])


def test_the_encoder_is_a_frozen_copy_that_stays_in_eval_mode() -> None:
    encoder = tiny_encoder()
    loss = PerceptualLoss(encoder, UNIT).train()
    assert encoder.training
    assert all(each.requires_grad for each in encoder.parameters())
    assert not any(each.training for each in loss.modules())
    assert not any(each.requires_grad for each in loss.parameters())
    before = {name: tensor.clone() for name, tensor in loss.state_dict().items()}
    loss_and_gradient(loss, images(2, 1), images(2, 2))
    assert all(torch.equal(tensor, before[name]) for name, tensor in loss.state_dict().items())
    assert not any(each.requires_grad for each in loss.features(images(2, 1).requires_grad_()))


def test_under_autocast_features_are_compared_in_float32() -> None:
    loss = PerceptualLoss(tiny_encoder(), UNIT)
    x, target = images(2, 1), images(2, 2)
    exact = loss(x, loss.features(target))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(x, loss.features(target))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, exact, rtol=0.1, atol=0)


def test_vgg_is_a_loss_like_any_other_and_a_transformer_is_none() -> None:
    loss = PerceptualLoss(load_encoder("timm:vgg16"), UNIT)
    value, gradient = loss_and_gradient(loss, images(1, 1, 32), images(1, 2, 32))
    assert 0 < float(value) < 20
    assert bool(gradient.abs().sum() > 0)
    with pytest.raises(UserError, match=r"timm:vit_tiny_patch16_224 .* no feature maps at strides 2, 4, 8, 16 and 32"):
        check_encoder(load_encoder("timm:vit_tiny_patch16_224"))
    with pytest.raises(UserError, match="mse_alone"):
        PerceptualLoss(reference("mse_alone", "none"), UNIT)
