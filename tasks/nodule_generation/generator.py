"""The generator: paints a nodule into the hole of a patch; a style's code and noise make nodules differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .condition import Condition
from .spade import SpadeDecoder, halving

if TYPE_CHECKING:
    from .settings import NetworkSettings

_SMALLEST = 4
# Mask, hole, what surrounds it, and noise.
_CONDITION = 4
# Grey values of the filling are kept this far from 0 and 1, where the logit ends.
_EDGE = 0.02


class NoduleGenerator(nn.Module):
    """A SPADE decoder conditioned on `Condition` and noise, and the encoder of styles that it is trained with.

    What it paints is sigmoid(logit(filled) + decoder): it begins with the hole filled smoothly, without a nodule. No
    patch of a batch depends on another.

    Args:
        size: side of the patches, a power of two of at least 8.
        settings: see `NetworkSettings`.
    """

    def __init__(self, size: int, settings: NetworkSettings):
        super().__init__()
        channels, style = settings.channels, settings.style
        self.size, self.style = size, style
        widths = _widths(size, channels)
        self.first = nn.Linear(style, channels * _SMALLEST**2)
        self.decoder = SpadeDecoder(widths, _CONDITION, settings.hidden)
        self.encoder = _StyleEncoder(len(widths) - 1, max(channels // 4, 1), channels, style)

    def forward(self, condition: Condition, style: Tensor, noise: Tensor) -> Tensor:
        """The patches with a nodule painted into each: [B, 1, P, P] in [0, 1].

        Args:
            condition: of B patches.
            style: [B, style], normal.
            noise: [B, 1, P, P], normal: what the texture is made of.
        """
        hole, filled = condition.hole, condition.filled
        seen = torch.cat([condition.mask, hole, 2 * filled - 1, noise * hole], dim=1)
        features = self.first(style).unflatten(1, (-1, _SMALLEST, _SMALLEST))
        change = self.decoder(features, seen).float()
        return condition.blended(torch.sigmoid(torch.logit(filled, eps=_EDGE) + change))

    def styles(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of the styles of real patches [B, 1, P, P], each [B, style]."""
        return self.encoder(patches)


class _StyleEncoder(nn.Module):
    """Convolutions of stride 2 down to 4 x 4 and two linear maps."""

    def __init__(self, halvings: int, first: int, most: int, style: int):
        super().__init__()
        widths = [1, *(min(first * 2**number, most) for number in range(halvings))]
        self.body = nn.Sequential(*map(halving, widths[:-1], widths[1:]), nn.Flatten())
        self.last = nn.Linear(widths[-1] * _SMALLEST**2, 2 * style)

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.last(self.body(2 * patches - 1)).float().chunk(2, dim=1)
        return mean, log_variance


def _widths(size: int, channels: int) -> list[int]:
    """Channels at 4, 8, ..., `size` pixels: all, then three quarters and half of them at the two finest."""
    count = (size // _SMALLEST).bit_length()
    shares = [1.0] * (count - 2) + [0.75, 0.5]
    return [max(int(channels * share), 1) for share in shares]
