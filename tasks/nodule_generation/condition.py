"""What a generator is told of a patch: where a nodule is to be, and the radiograph around it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# The hole is filled by means of what surrounds it, weighed by about the inverse of its distance to this power: what is
# near counts most, so that no edge shows at the rim.
_FILL_POWER = 3.0
# That weight is a sum of Gaussians, of which a matrix product on either axis takes care, of these widths in pixels.
_FILL_WIDTHS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
# Painted pixels are left as they are up to this share of the rim.
_RIM_INNER = 1 / 3


@dataclass(frozen=True)
class Condition:
    """Of a batch of patches, each [B, 1, P, P], in [0, 1].

    Attributes:
        mask: 1 inside the ellipse of the nodule, 0 outside.
        hole: what share of a pixel is painted: 1 in the ellipse and a little beyond, 0 behind the rim, smooth between.
        filled: the patch where `hole` is 0; where it is not, a smooth continuation of that, without any of the nodule.
    """

    mask: Tensor
    hole: Tensor
    filled: Tensor

    def blended(self, painted: Tensor) -> Tensor:
        """`painted` in the hole and the radiograph's own pixels, bit for bit, outside of it."""
        return torch.where(self.hole > 0, self.hole * painted + (1 - self.hole) * self.filled, self.filled)


def condition_of(patches: Tensor, ellipses: Tensor, rim: float) -> Condition:
    """Hide the nodules of `patches`.

    Args:
        patches: [B, 1, P, P] in [0, 1].
        ellipses: [B, 4], centre x, y and semi-axes x, y in pixels.
        rim: how far beyond the ellipse the hole goes, as a share of its radius.
    """
    radius = _radius(ellipses, patches.shape[-1])
    inner = 1 + rim * _RIM_INNER
    position = ((1 + rim - radius) / (1 + rim - inner)).clamp(0, 1)
    hole = position * position * (3 - 2 * position)
    return Condition((radius <= 1).to(patches.dtype), hole, _filled(patches, hole))


def _radius(ellipses: Tensor, size: int) -> Tensor:
    """Distance of each pixel from the centre in radii of the ellipse [B, 1, P, P]."""
    middles = torch.arange(size, device=ellipses.device, dtype=ellipses.dtype) + 0.5
    x, y, half_width, half_height = ellipses[:, :, None].unbind(dim=1)
    across, down = (middles - x) / half_width, (middles - y) / half_height
    return (across[:, None, :].square() + down[:, :, None].square()).sqrt().unsqueeze(1)


def _filled(patches: Tensor, hole: Tensor) -> Tensor:
    """`patches` with the pixels of the hole replaced by means of the others, weighed by their distance."""
    size = patches.shape[-1]
    places = torch.arange(size, device=patches.device, dtype=patches.dtype)
    squares = (places[:, None] - places).square()
    seen = (hole == 0).to(patches.dtype)
    both = torch.cat([patches * seen, seen], dim=1)
    sums = torch.zeros_like(both)
    # Float32 also under autocast: the middle of a large hole is far from everything.
    with torch.autocast(patches.device.type, enabled=False):
        for width in _FILL_WIDTHS:
            weights = torch.exp(-squares / (2 * width**2))
            sums += width**-_FILL_POWER * (weights @ both @ weights)
    means = sums[:, :1] / sums[:, 1:].clamp_min(torch.finfo(sums.dtype).tiny)
    return torch.where(hole > 0, means.clamp(0, 1), patches)
