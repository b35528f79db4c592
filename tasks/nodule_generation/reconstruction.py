"""How far painted patches are from the real ones, and the weight that makes encoders begin alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...foundation.errors import UserError
from ...training.device import channels_last
from ..network_input import as_input
from ..perceptual.calibration import calibrate, squared_errors
from ..perceptual.loss import PerceptualLoss
from ..perceptual.settings import of_variant
from ..reference import is_reference
from .condition import condition_of

if TYPE_CHECKING:
    from ...pretrain.encoder import Encoder
    from ...training.device import Device
    from .nodules import Patches
    from .settings import NoduleGenerationSettings

# One grey level in one pixel of a patch is more.
_LEAST_MSE = 1e-10


@dataclass(frozen=True)
class Reconstruction:
    """How far painted patches are from the real ones, whole patches each.

    Attributes:
        perceptual: weighed loss of the encoder under test; None in a row without one.
        scale: what it is multiplied by besides.
        pixel: weight of the squared error of the pixels.
    """

    perceptual: PerceptualLoss | None
    scale: float
    pixel: float

    def __call__(self, painted: Tensor, real: Tensor) -> dict[str, Tensor]:
        """Means over the batch, by name; empty where nothing asks for them."""
        found = {}
        if self.perceptual is not None:
            features = self.perceptual.features(real)
            found["perceptual"] = self.scale * self.perceptual(painted, features).mean()
        if self.pixel > 0:
            found["pixel"] = self.pixel * squared_errors(painted, real).mean()
        return found


def reconstruction_of(
    encoder: Encoder, variant: str, settings: NoduleGenerationSettings, patches: Patches, device: Device
) -> tuple[Reconstruction, dict[str, object]]:
    """The perceptual loss with its weight, and in words how that came about.

    `raw` has the settings' weight. `calibrated` is weighed so that over the training patches with nothing painted the
    perceptual loss is `rho` x `reconstruction`, whatever the encoder: rho x MSE0 / P0, in units of MSE0.

    Raises UserError for an encoder without stages or whose features say nothing, and for patches without nodules.
    """

    def pairs() -> Iterator[tuple[Tensor, Tensor]]:
        for first in range(0, len(patches), settings.training.batch_size):
            part = slice(first, first + settings.training.batch_size)
            real = as_input(patches.pixels[part]).to(device)
            ellipses = torch.from_numpy(patches.ellipses[part]).to(device)
            yield condition_of(real, ellipses, settings.patch.rim).filled, real

    mse = float(torch.cat([squared_errors(filled, real) for filled, real in pairs()]).double().mean())
    if mse < _LEAST_MSE:
        raise UserError("the training nodules are no different from what surrounds them; the images or boxes are wrong")
    scale = settings.loss.reconstruction / mse
    pixel = scale * settings.loss.pixel
    found: dict[str, object] = {"mse_with_nothing_painted": mse}
    if is_reference(encoder):
        return Reconstruction(None, 1.0, pixel), found
    chosen = of_variant(settings.perceptual, variant)
    perceptual = PerceptualLoss(encoder, chosen, chosen.weight).to(device)
    channels_last(perceptual)
    if variant == "raw":
        return Reconstruction(perceptual, 1.0, pixel), {**found, "perceptual_weight": perceptual.weight}
    calibration = calibrate(perceptual, pairs(), chosen.rho)
    perceptual.weight = calibration.weight
    found |= {
        "perceptual_weight": scale * calibration.weight,
        "distance_with_nothing_painted": calibration.distance,
        "calibration_patches": calibration.images,
    }
    return Reconstruction(perceptual, scale, pixel), found
