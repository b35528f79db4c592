"""The loss: calibrated at the identity for every encoder, raw as it is, and pixels alone for a reference."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from cxrbench.pretrain.encoder import Encoder
from cxrbench.tasks.bone_suppression.loss import PixelAndPerceptualLoss, build_loss
from cxrbench.tasks.bone_suppression.settings import BoneSuppressionSettings
from cxrbench.tasks.perceptual.loss import PerceptualLoss
from cxrbench.tasks.perceptual.settings import PerceptualSettings
from cxrbench.tasks.reference import reference
from tests.pretrain.tiny_encoder import tiny_encoder
from tests.tasks.bone_suppression.examples import pairs
from tests.tasks.perceptual.examples import scaled

PAIRS = pairs(12)
ROWS = np.arange(9)
SETTINGS = BoneSuppressionSettings().perceptual


def built(variant: str, rho: float = 1.0, encoder: Encoder | None = None) -> tuple[PixelAndPerceptualLoss, dict]:
    settings = SETTINGS.model_copy(update={"rho": rho})
    return build_loss(encoder or tiny_encoder(), variant, settings, PAIRS, ROWS, 4, "cpu", "float32")


def at_identity(loss: PixelAndPerceptualLoss) -> dict[str, torch.Tensor]:
    films, targets = (torch.from_numpy(each / 255).float()[:, None] for each in PAIRS.batch(ROWS))
    return loss(nn.Identity(), (films, targets))


@pytest.mark.parametrize("rho", [1.0, 0.1])
@pytest.mark.parametrize("factor", [1.0, 0.01, 100.0])
def test_calibrated_begins_at_rho_times_the_error_of_the_pixels(rho: float, factor: float) -> None:
    loss, said = built("calibrated", rho, scaled(factor))
    found = at_identity(loss)
    films, targets = (each.astype(float) / 255 for each in PAIRS.batch(ROWS))
    assert found["mse"].item() == pytest.approx(np.square(films - targets).mean(), rel=1e-5)
    assert found["perceptual"].item() == pytest.approx(rho * found["mse"].item(), rel=1e-4)
    assert found["loss"].item() == pytest.approx((1 + rho) * found["mse"].item(), rel=1e-4)
    assert said["calibration_images"] == 9
    assert said["perceptual_weight"] == pytest.approx(rho * found["mse"].item() / said["distance_at_start"], rel=1e-4)


def test_raw_is_ten_times_the_weighted_l1_of_the_maps() -> None:
    loss, said = built("raw")
    assert said == {"perceptual_weight": 10.0}
    encoder = tiny_encoder().eval()
    films, targets = (torch.from_numpy(each / 255).float()[:, None] for each in PAIRS.batch(ROWS))
    with torch.no_grad():
        maps = zip((1 / 32, 1 / 16, 1 / 8, 1 / 4, 1), encoder.stages(films), encoder.stages(targets), strict=True)
        expected = 10 * sum(share * (a - b).abs().mean().item() for share, a, b in maps)
    assert at_identity(loss)["perceptual"].item() == pytest.approx(expected, rel=1e-5)


def test_a_reference_has_the_pixels_alone() -> None:
    loss, said = build_loss(reference("mse_alone", ""), "calibrated", SETTINGS, PAIRS, ROWS, 4, "cpu", "float32")
    assert said == {}
    assert set(at_identity(loss)) == {"loss", "mse"}


def test_gradients_reach_the_network_and_not_the_encoder() -> None:
    loss, _ = built("calibrated")
    network = nn.Conv2d(1, 1, 1)
    films, targets = (torch.from_numpy(each / 255).float()[:, None] for each in PAIRS.batch(ROWS[:2]))
    terms = loss(network, (films, targets))
    terms["loss"].backward()
    assert network.weight.grad is not None
    assert isinstance(loss.perceptual, PerceptualLoss)
    assert all(each.grad is None for each in loss.perceptual.parameters())


def test_it_travels_to_another_process() -> None:
    loss, _ = built("calibrated")
    again = pickle.loads(pickle.dumps(loss))
    assert torch.equal(at_identity(again)["loss"], at_identity(loss)["loss"])


def test_defaults_are_those_of_chess_with_features_of_unit_length() -> None:
    expected = PerceptualSettings(
        stage_weights=(0.03125, 0.0625, 0.125, 0.25, 1.0), distance="l1", features="unit", weight=10.0
    )
    assert expected == SETTINGS
