"""The network that suppresses bones: the film less what a small U-Net takes for bone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...pretrain.initialisation import private_randomness

# Groups of GroupNorm (Wu and He 2018), or fewer where the channels cannot be divided by them.
_GROUPS = 8


class ResidualUNet(nn.Module):
    """Films [B, 1, H, W] in [0, 1] -> films without bones [B, 1, H, W], not clamped.

    H and W are multiples of `stride_of(widths)`.

    A U-Net (Ronneberger et al., MICCAI 2015) predicts the bones, which are taken from the film: output = film - bones.
    Its last convolution begins at zero, so that a network without training gives the film itself, where the weight of
    a calibrated loss is found. Two 3x3 convolutions a level, each with GroupNorm and ReLU; maxima of 2x2 pixels on the
    way down, bilinear interpolation on the way up. No image depends on the others of its batch, in training neither.

    Args:
        widths: channels of the levels, from the film's own size on, each half as large as the one before.
        seed: of the random weights.
    """

    def __init__(self, widths: Sequence[int], seed: int):
        super().__init__()
        with private_randomness(seed):
            pairs = list(zip((1, *widths[:-1]), widths, strict=True))
            self.down = nn.ModuleList(_block(before, after) for before, after in pairs)
            self.up = nn.ModuleList(_block(after + before, before) for before, after in reversed(pairs[1:]))
            self.bones = nn.Conv2d(widths[0], 1, kernel_size=1)
        nn.init.zeros_(self.bones.weight)
        nn.init.zeros_(self.bones.bias)  # type: ignore[arg-type] (there is one)

    def forward(self, film: Tensor) -> Tensor:
        x, passed = film, []
        for number, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if number else x)
            passed.append(x)
        passed.pop()
        for block in self.up:
            x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = block(torch.cat([x, passed.pop()], dim=1))
        return film - self.bones(x)


def _block(before: int, after: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += [
            nn.Conv2d(channels, after, kernel_size=3, padding=1, bias=False),
            nn.GroupNorm(math.gcd(_GROUPS, after), after),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)
