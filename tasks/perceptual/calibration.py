"""The weight at which an encoder's perceptual loss begins as large as the error of the pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ...foundation.errors import UserError


class Distance(Protocol):
    """What `calibrate` asks of a loss: `PerceptualLoss` and `LpipsLoss` have it."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    def features(self, x: Tensor) -> list[Tensor]:
        """Of targets [B, 1, H, W]."""
        ...

    def distance(self, x: Tensor, target_features: list[Tensor]) -> Tensor:
        """Before any weight [B]."""
        ...


@dataclass(frozen=True)
class Calibration:
    """How a weight came about.

    Attributes:
        weight: rho x pixel_error / distance.
        pixel_error: mean over the calibration images at the start.
        distance: mean over the same of the loss before its weight.
        images: how many.
    """

    weight: float
    pixel_error: float
    distance: float
    images: int


def squared_errors(x: Tensor, target: Tensor) -> Tensor:
    """Mean over the pixels of (x - target)^2, image by image [B]."""
    return (x - target).square().mean(dim=(1, 2, 3))


def calibrate(
    loss: Distance,
    pairs: Iterable[tuple[Tensor, Tensor]],
    rho: float = 1.0,
    pixel_errors: Callable[[Tensor, Tensor], Tensor] = squared_errors,
) -> Calibration:
    """The weight of `loss`, one number an encoder: rho x mean pixel error / mean distance over the calibration images.

    With it the weighted loss of every encoder begins at rho times the pixel error, whatever the scale and the number
    of its features.

    Args:
        loss: of any weight.
        pairs: batches of (start [B, 1, H, W], target [B, 1, H, W]) of calibration images, never of test images.
        rho: how large the perceptual part is at the start.
        pixel_errors: what it is compared with, (start, target) -> [B].

    Raises:
        UserError: no images, a pixel error or a distance that is 0 or not a number.
    """
    errors: list[float] = []
    distances: list[float] = []
    with torch.no_grad():
        for start, target in pairs:
            errors += pixel_errors(start, target).double().tolist()
            distances += loss.distance(start, loss.features(target)).double().tolist()
    if not errors:
        raise UserError(f"{loss.name}: no images to calibrate its perceptual loss with")
    error, distance = math.fsum(errors) / len(errors), math.fsum(distances) / len(distances)
    if not (math.isfinite(error) and math.isfinite(distance)):
        raise UserError(
            f"{loss.name}: its perceptual loss on the calibration images is not a number; its weights, or its "
            "normalisation, are no use as a loss"
        )
    if distance <= 0:
        raise UserError(
            f"{loss.name}: its features are the same for every image (a perceptual distance of 0 on the calibration "
            "images); it is no use as a loss"
        )
    if error <= 0:
        raise UserError(f"{loss.name}: the calibration images are equal to where the search begins; take others")
    return Calibration(rho * error / distance, error, distance, len(errors))
