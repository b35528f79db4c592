"""The discriminator: looks at pieces of a patch and says of each whether it is real."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from .condition import Condition

_SLOPE = 0.2


class PatchDiscriminator(nn.Module):
    """Convolutions with spectral normalisation over patch, mask and surroundings -> a map at an eighth of its side.

    Without any normalisation of features, so that no patch depends on others of its batch.
    """

    def __init__(self, channels: int):
        super().__init__()
        widths = [3, channels, 2 * channels, 4 * channels]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [spectral_norm(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1)), nn.LeakyReLU(_SLOPE)]
        layers.append(spectral_norm(nn.Conv2d(widths[-1], 1, 3, padding=1)))
        self.body = nn.Sequential(*layers)

    def forward(self, patches: Tensor, condition: Condition) -> Tensor:
        """Above 0 where it takes a piece of [B, 1, P, P] for real: [B, 1, P / 8, P / 8]."""
        return self.body(torch.cat([2 * patches - 1, condition.mask, 2 * condition.filled - 1], dim=1)).float()


def mean_over_hole(values: Tensor, condition: Condition) -> Tensor:
    """The mean over a discriminator's map [B, 1, h, w] of the pieces that touch the hole: a number.

    Elsewhere a real and a painted patch are the same, and there is nothing to tell.
    """
    touches = (functional.adaptive_max_pool2d(condition.hole, values.shape[-2:]) > 0).to(values.dtype)
    return ((values * touches).sum(dim=(1, 2, 3)) / touches.sum(dim=(1, 2, 3)).clamp_min(1)).mean()
