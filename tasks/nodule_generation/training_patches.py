"""Batches of training patches: a square of each nodule, mirrored half of the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..network_input import as_input
from .nodules import Patches, cut_patches

if TYPE_CHECKING:
    from ...data.images import Images
    from .nodules import Nodules
    from .settings import PatchSettings


@dataclass(frozen=True)
class TrainingPatches:
    """All squares of the training nodules.

    Attributes:
        pixels: uint8 [V, N, P, P], V views of N nodules.
        ellipses: float32 [V, N, 4].
    """

    pixels: np.ndarray
    ellipses: np.ndarray

    def __len__(self) -> int:
        return self.pixels.shape[1]

    def prepare(self, places: np.ndarray, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Patches [B, 1, P, P] in [0, 1] and ellipses [B, 4] of the nodules at `places`, for `BatchLoader`."""
        view = generator.integers(len(self.pixels), size=len(places))
        mirrored = generator.random(len(places)) < 0.5
        pixels, ellipses = self.pixels[view, places], self.ellipses[view, places]
        pixels[mirrored] = pixels[mirrored][:, :, ::-1]
        ellipses[mirrored, 0] = pixels.shape[-1] - ellipses[mirrored, 0]
        return as_input(pixels), torch.from_numpy(ellipses)


def training_patches(images: Images, nodules: Nodules, places: np.ndarray, settings: PatchSettings) -> TrainingPatches:
    """All views of the nodules at `places`."""
    views: list[Patches] = [cut_patches(images, nodules, places, settings, view) for view in range(settings.views)]
    return TrainingPatches(np.stack([each.pixels for each in views]), np.stack([each.ellipses for each in views]))
