"""The distance of two images in the feature maps of an encoder, image by image."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn

from ...foundation.errors import UserError
from ..reference import is_reference

if TYPE_CHECKING:
    from ...pretrain.encoder import Encoder
    from .settings import PerceptualSettings

# Added to the square of a vector's length, as a share of the mean square over its map. With less, positions that are
# nearly empty (in a radiograph, the dark around the body) turn a search by gradients chaotic: in a batch and alone it
# then ends in other places.
RELATIVE_FLOOR = 1e-2
# Only a map of zeros is as small: keeps it from being divided by 0.
_LEAST = 1e-30


class PerceptualLoss(nn.Module):
    """How far images [B, 1, H, W] are from targets in the five feature maps of an encoder -> [B].

    A stage's distance is the mean over positions of |a - b| or (a - b)^2, summed over channels for `unit` features (as
    LPIPS, Zhang et al. 2018, equation 1 without learnt weights) and averaged over them for `raw` ones (as nn.L1Loss in
    SPADE and CheSS); the loss is `weight` times the sum of the stages by `settings.stage_weights`.

    `unit` features do not depend on the scale of an encoder's features: each vector of channels is divided by
    sqrt(its squared length + RELATIVE_FLOOR x the mean of those over the image's own map), so that the floor under
    short vectors scales with them. LPIPS adds 1e-10 instead.

    The encoder is a frozen copy, always in eval mode: gradients flow to `x` only, and no image of a batch depends on
    another. It runs where and in the type that `.to(...)` gave it (float32, float64), or in that of autocast; features
    of fewer bits are compared in float32.

    Attributes:
        weight: of the sum over the stages; `calibrate` finds one that is fair.

    Raises UserError as `check_encoder` does.
    """

    def __init__(self, encoder: Encoder, settings: PerceptualSettings, weight: float = 1.0):
        super().__init__()
        check_encoder(encoder)
        self.encoder = deepcopy(encoder).requires_grad_(False)
        self.settings = settings
        self.weight = weight
        self.eval()

    def train(self, mode: bool = True) -> Self:
        """Stays in eval mode: BatchNorm by a batch's own statistics would make images depend on each other."""
        return super().train(False)

    @property
    def name(self) -> str:
        """The encoder's, for messages."""
        return self.encoder.meta.name

    def features(self, x: Tensor) -> list[Tensor]:
        """What `forward` compares with: five maps [B, C, h, w], for targets once, without gradient."""
        with torch.no_grad():
            return self._maps(x)

    def distance(self, x: Tensor, target_features: Sequence[Tensor]) -> Tensor:
        """The sum over the stages before `weight` [B]."""
        total: Tensor | None = None
        for share, mine, target in zip(self.settings.stage_weights, self._maps(x), target_features, strict=True):
            if share == 0:
                continue
            stage = share * self._stage(mine, target)
            total = stage if total is None else total + stage
        assert total is not None, "one stage weight is above 0"
        return total

    def forward(self, x: Tensor, target_features: Sequence[Tensor]) -> Tensor:
        """The weighted loss of each image [B].

        Args:
            x: images [B, 1, H, W] in about [0, 1]; a generator may leave it.
            target_features: of the same number of images, from `features`.
        """
        return self.weight * self.distance(x, target_features)

    def _maps(self, x: Tensor) -> list[Tensor]:
        maps = self.encoder.stages(x)
        if self.settings.features == "unit":
            return [_unit(each) for each in maps]
        return [_at_least_float32(each) for each in maps]

    def _stage(self, mine: Tensor, target: Tensor) -> Tensor:
        difference = mine - target
        each = difference.abs() if self.settings.distance == "l1" else difference.square()
        if self.settings.features == "raw":
            return each.mean(dim=(1, 2, 3))
        return each.sum(dim=1).mean(dim=(1, 2))


def check_encoder(encoder: Encoder) -> None:
    """Raise UserError where `encoder` cannot be a perceptual loss: it has no feature maps at five strides."""
    if is_reference(encoder) or not encoder.has_stages:
        raise UserError(
            f"encoder {encoder.meta.name} ({encoder.meta.arch}) has no feature maps at strides 2, 4, 8, 16 and 32; "
            "a perceptual loss needs a ResNet or another convolutional backbone that has them"
        )


def _unit(features: Tensor) -> Tensor:
    """Each vector of channels of [B, C, h, w] with length 1."""
    features = _at_least_float32(features)
    squares = features.square().sum(dim=1, keepdim=True)
    floor = RELATIVE_FLOOR * squares.mean(dim=(2, 3), keepdim=True) + _LEAST
    return features * torch.rsqrt(squares + floor)


def _at_least_float32(features: Tensor) -> Tensor:
    return features if features.dtype == torch.float64 else features.float()
