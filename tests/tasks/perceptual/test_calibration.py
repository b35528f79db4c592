"""The weight of a perceptual loss: one start for every encoder, whatever its size and the scale of its features."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.models import alexnet

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain import load_encoder
from cxrbench.pretrain.encoder import Encoder
from cxrbench.pretrain.initialisation import private_randomness
from cxrbench.tasks.image_quality.lpips import BACKBONES, Lpips
from cxrbench.tasks.perceptual.calibration import Calibration, calibrate, squared_errors
from cxrbench.tasks.perceptual.loss import PerceptualLoss
from cxrbench.tasks.perceptual.lpips_loss import LpipsLoss
from cxrbench.tasks.perceptual.settings import PerceptualSettings
from tests.pretrain.tiny_encoder import tiny_encoder
from tests.tasks.perceptual.examples import encoder_of, images, scaled

UNIT, RAW = PerceptualSettings(), PerceptualSettings(features="raw")


def pairs(n: int = 4) -> list[tuple[Tensor, Tensor]]:
    start = torch.full((1, 1, 64, 64), 0.5)
    return [(start.expand(2, -1, -1, -1), images(2, seed)) for seed in range(n // 2)]


def calibrated(encoder: Encoder, settings: PerceptualSettings, rho: float = 1.0) -> PerceptualLoss:
    loss = PerceptualLoss(encoder, settings)
    loss.weight = calibrate(loss, pairs(), rho).weight
    return loss


def test_by_hand() -> None:
    # Start 0; targets 0.5 and 1: pixel errors 0.25 and 1, raw distances 5 x (0.5 and 1) with L1.
    def maps(x: Tensor) -> list[Tensor]:
        return [x.mean((2, 3), keepdim=True)] * 5

    loss = PerceptualLoss(encoder_of(maps), PerceptualSettings(features="raw", distance="l1"))
    start = torch.zeros(2, 1, 8, 8)
    target = torch.stack([torch.full((1, 8, 8), 0.5), torch.ones(1, 8, 8)])
    assert calibrate(loss, [(start, target)], rho=3) == Calibration(3 * 0.625 / 3.75, 0.625, 3.75, 2)
    # Batches of any size give the same.
    assert calibrate(loss, zip(start.split(1), target.split(1), strict=True), rho=3).weight == 0.5


def test_the_error_it_is_held_against_can_be_another() -> None:
    loss = PerceptualLoss(tiny_encoder(), UNIT)
    squares = calibrate(loss, pairs())
    absolute = calibrate(loss, pairs(), 1.0, lambda x, y: (x - y).abs().mean((1, 2, 3)))
    assert squares.distance == absolute.distance
    expected = torch.cat([(x - y).abs().flatten(1).mean(dim=1) for x, y in pairs()]).mean()
    assert absolute.pixel_error == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("settings", [UNIT, RAW, PerceptualSettings(features="raw", distance="l1")])
@pytest.mark.parametrize("factor", [0.1, 10.0, 100.0])
def test_the_scale_of_features_changes_no_calibrated_loss_and_no_gradient(
    settings: PerceptualSettings, factor: float
) -> None:
    x, target = images(2, 7).requires_grad_(), images(2, 8)
    found = []
    for each in (1.0, factor):
        loss = calibrated(scaled(each), settings)
        value = loss(x, loss.features(target))
        found.append((value, torch.autograd.grad(value.sum(), x)[0]))
    (value, gradient), (other, other_gradient) = found
    torch.testing.assert_close(other, value, rtol=1e-5, atol=0)
    torch.testing.assert_close(other_gradient, gradient, rtol=1e-3, atol=1e-6 * float(gradient.abs().max()))


@pytest.mark.parametrize("settings", [UNIT, RAW])
def test_encoders_of_any_size_begin_with_equal_weight(settings: PerceptualSettings) -> None:
    start = sum(float(squared_errors(*each).sum()) for each in pairs()) / 4
    for encoder in (tiny_encoder(), load_encoder("resnet18_scratch"), load_encoder("efficientnet_lite0_scratch")):
        for rho in (0.1, 1.0, 10.0):
            loss = calibrated(encoder, settings, rho)
            with torch.no_grad():
                begins = torch.cat([loss(x, loss.features(target)) for x, target in pairs()]).mean()
            assert float(begins) == pytest.approx(rho * start, rel=1e-5)


def test_what_is_no_use_as_a_loss_is_said_in_one_line() -> None:
    def same(x: Tensor) -> list[Tensor]:
        return [torch.ones(len(x), 1, 1, 1)] * 5

    def none(x: Tensor) -> list[Tensor]:
        return [x.mean((2, 3), keepdim=True) * torch.nan] * 5

    with pytest.raises(UserError, match=r"blind: its features are the same for every image .*distance of 0"):
        calibrate(PerceptualLoss(encoder_of(same, "blind"), UNIT), pairs())
    with pytest.raises(UserError, match="broken: its perceptual loss on the calibration images is not a number"):
        calibrate(PerceptualLoss(encoder_of(none, "broken"), RAW), pairs())
    loss = PerceptualLoss(tiny_encoder(), UNIT)
    with pytest.raises(UserError, match="tiny: no images"):
        calibrate(loss, [])
    with pytest.raises(UserError, match=r"tiny: its features are the same|tiny: the calibration images are equal"):
        calibrate(loss, [(images(2), images(2))])


def test_lpips_is_calibrated_like_an_encoder() -> None:
    backbone = BACKBONES[0]
    with private_randomness(0):
        features = alexnet().features.state_dict()
    loss = LpipsLoss(Lpips(backbone, features, [torch.ones(1, each, 1, 1) for each in backbone.channels])).train()
    x, target = images(2, 3).requires_grad_(), images(2, 4)
    torch.testing.assert_close(loss(x, loss.features(target)), loss.lpips(x, target))
    loss.weight = calibrate(loss, pairs()).weight
    begins = torch.cat([loss(x, loss.features(target)) for x, target in pairs()]).mean()
    assert float(begins) == pytest.approx(float(torch.cat([squared_errors(*each) for each in pairs()]).mean()))
    (gradient,) = torch.autograd.grad(loss(x, loss.features(target)).sum(), x)
    assert bool((gradient != 0).any())
    assert not any(each.requires_grad for each in loss.parameters())
    assert not any(each.training for each in loss.modules())
