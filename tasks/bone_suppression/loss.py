"""The loss of bone suppression: squared error of pixels, and the distance of features beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor, nn

from ...training.device import Device, Precision, autocast, channels_last
from ..network_input import as_input
from ..perceptual.calibration import Calibration, calibrate, squared_errors
from ..perceptual.loss import PerceptualLoss
from ..perceptual.settings import of_variant
from ..reference import is_reference

if TYPE_CHECKING:
    from ...pretrain.encoder import Encoder
    from ..perceptual.settings import PerceptualSettings
    from .pairs import Pairs


class PixelAndPerceptualLoss:
    """The loss of (network, batch) for `training.loop.fit`; picklable.

    A batch is films and targets [B, 1, S, S] in [0, 1]; the outputs are not clamped.

    Attributes:
        perceptual: already weighted; None leaves the squared error alone.
    """

    def __init__(self, perceptual: PerceptualLoss | None, precision: Precision):
        self.perceptual = perceptual
        self._precision: Precision = precision

    def __call__(self, network: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """`loss`, and the terms it is the sum of."""
        films, targets = batch
        outputs = network(films).float()
        mse = squared_errors(outputs, targets).mean()
        if self.perceptual is None:
            return {"loss": mse, "mse": mse.detach()}
        device: Device = "cuda" if films.is_cuda else "cpu"
        # Of several processes each has a device of its own.
        self.perceptual.to(films.device)
        with autocast(device, self._precision):
            perceptual = self.perceptual(outputs, self.perceptual.features(targets)).mean()
        return {"loss": mse + perceptual, "mse": mse.detach(), "perceptual": perceptual.detach()}


def build_loss(
    encoder: Encoder,
    variant: str,
    settings: PerceptualSettings,
    pairs: Pairs,
    rows: np.ndarray,
    batch_size: int,
    device: Device,
    precision: Precision,
) -> tuple[PixelAndPerceptualLoss, dict[str, object]]:
    """The loss of a trial, and in words how its weight came about.

    `calibrated`: at the identity, where the network begins, the weighted loss is rho times the squared error of the
    pixels, mean over the training pairs `rows`; so it is for every encoder, whatever the scale and number of its
    features. `raw`: the settings' weight. A reference row has the squared error alone.

    Raises UserError for an encoder without stages, or whose features say nothing.
    """
    if is_reference(encoder):
        return PixelAndPerceptualLoss(None, precision), {}
    chosen = of_variant(settings, variant)
    perceptual = PerceptualLoss(encoder, chosen, chosen.weight).to(device)
    channels_last(perceptual)
    if variant != "raw":
        found: Calibration = calibrate(perceptual, _batches(pairs, rows, batch_size, device), chosen.rho)
        perceptual.weight = found.weight
        return PixelAndPerceptualLoss(perceptual, precision), {
            "perceptual_weight": found.weight,
            "mse_at_start": found.pixel_error,
            "distance_at_start": found.distance,
            "calibration_images": found.images,
        }
    return PixelAndPerceptualLoss(perceptual, precision), {"perceptual_weight": perceptual.weight}


def _batches(pairs: Pairs, rows: np.ndarray, batch_size: int, device: Device) -> Iterator[tuple[Tensor, Tensor]]:
    for first in range(0, len(rows), batch_size):
        films, targets = pairs.batch(rows[first : first + batch_size])
        yield as_input(films).to(device), as_input(targets).to(device)
