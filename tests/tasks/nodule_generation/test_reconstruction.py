"""Where the weights of the perceptual losses come from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cxrbench.foundation.errors import UserError
from cxrbench.foundation.settings import override
from cxrbench.pretrain import load_encoder
from cxrbench.pretrain.encoder import Encoder
from cxrbench.tasks.network_input import as_input
from cxrbench.tasks.nodule_generation.condition import condition_of
from cxrbench.tasks.nodule_generation.nodules import Patches
from cxrbench.tasks.nodule_generation.reconstruction import reconstruction_of
from cxrbench.tasks.nodule_generation.settings import NoduleGenerationSettings
from cxrbench.tasks.reference import reference


@pytest.fixture(scope="module")
def patches() -> Patches:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, 32, 32), dtype=np.uint8)
    return Patches(pixels, np.tile(np.array([16, 15, 6, 5], dtype=np.float32), (6, 1)))


def at_start(encoder: Encoder, variant: str, patches: Patches, **overrides: object) -> dict[str, float]:
    """The terms where nothing is painted, over all patches."""
    settings = override(NoduleGenerationSettings(), {"training.batch_size": 4, **overrides}, "test")
    found, _ = reconstruction_of(encoder, variant, settings, patches, "cpu")
    real = as_input(patches.pixels)
    filled = condition_of(real, torch.from_numpy(patches.ellipses), settings.patch.rim).filled
    with torch.no_grad():
        return {name: float(value) for name, value in found(filled, real).items()}


@pytest.mark.parametrize("scale", [0.1, 1.0, 100.0])
def test_calibrated_loss_begins_at_the_setting_whatever_the_scale_of_the_features(
    scale: float, patches: Patches
) -> None:
    encoder = load_encoder("resnet18_scratch")
    with torch.no_grad():
        next(iter(encoder.parameters())).mul_(scale)
    assert at_start(encoder, "calibrated", patches) == {"perceptual": pytest.approx(10.0, rel=1e-4)}


def test_rho_multiplies_what_a_calibrated_loss_begins_at(patches: Patches) -> None:
    found = at_start(load_encoder("resnet18_scratch"), "calibrated", patches, **{"perceptual.rho": 0.1})
    assert found["perceptual"] == pytest.approx(1.0, rel=1e-4)


def test_raw_loss_follows_the_scale_of_the_features(patches: Patches) -> None:
    encoder, other = load_encoder("resnet18_scratch"), load_encoder("resnet18_scratch")
    with torch.no_grad():
        other.stages = lambda x: [3 * each for each in Encoder.stages(other, x)]  # type: ignore[method-assign]
    mine, theirs = (at_start(each, "raw", patches)["perceptual"] for each in (encoder, other))
    assert theirs == pytest.approx(3 * mine, rel=1e-3)


def test_a_row_without_an_encoder_has_the_pixels_where_they_are_asked_for(patches: Patches) -> None:
    nothing = reference("no_perceptual", "no encoder")
    assert at_start(nothing, "calibrated", patches) == {}
    found = at_start(nothing, "calibrated", patches, **{"loss.pixel": 0.5})
    # Half of what the reconstruction begins at.
    assert found == {"pixel": pytest.approx(5.0, rel=1e-4)}


def test_patches_without_any_difference_are_one_line() -> None:
    grey = Patches(
        np.full((4, 32, 32), 100, dtype=np.uint8), np.tile(np.array([16, 16, 5, 5], dtype=np.float32), (4, 1))
    )
    with pytest.raises(UserError, match="no different from what surrounds") as error:
        reconstruction_of(load_encoder("resnet18_scratch"), "calibrated", NoduleGenerationSettings(), grey, "cpu")
    assert "\n" not in str(error.value)
