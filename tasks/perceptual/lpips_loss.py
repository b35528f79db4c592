"""LPIPS as a loss, in the place of an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from ..image_quality.lpips import Lpips


class LpipsLoss(nn.Module):
    """LPIPS (Zhang et al. 2018) with the interface of `PerceptualLoss`: images and targets [B, 1, H, W] -> [B].

    It runs in the type that `.to(...)` gave it, under autocast too.

    Args:
        lpips: of the user's files.
        weight: see `calibrate`.
    """

    name = "lpips"

    def __init__(self, lpips: Lpips, weight: float = 1.0):
        super().__init__()
        self.lpips = lpips
        self.weight = weight
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Self:
        """Stays in eval mode."""
        return super().train(False)

    def features(self, x: Tensor) -> list[Tensor]:
        """Five maps of targets, once, without gradient."""
        with torch.no_grad():
            return self._features(x)

    def distance(self, x: Tensor, target_features: Sequence[Tensor]) -> Tensor:
        """LPIPS of each image [B]."""
        return self.lpips.between(self._features(x), target_features)

    def forward(self, x: Tensor, target_features: Sequence[Tensor]) -> Tensor:
        """The weighted LPIPS of each image [B]."""
        return self.weight * self.distance(x, target_features)

    def _features(self, x: Tensor) -> list[Tensor]:
        # Its lengths are those of vectors of up to 512 channels, which bf16 cannot sum.
        with torch.autocast(x.device.type, enabled=False):
            return self.lpips.features(x if x.dtype == torch.float64 else x.float())
