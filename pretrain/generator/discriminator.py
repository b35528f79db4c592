"""StyleGAN2's discriminator, written from Karras et al. 2018 and 2020."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from .activation import activated
from .dense import Dense
from .filters import Fir

_GROUP = 4
_TINY = 1e-8


class Discriminator(nn.Module):
    """Images [N, channels, R, R], about [-1, 1] -> verdicts [N]: above 0 is real.

    Residual blocks from R down to 4, each with a FIR filter before its strided convolutions (Karras et al. 2020,
    figures 7c and 2), then the standard deviation over groups of images as one more map (Karras et al. 2018, section
    3), a convolution and two fully connected layers. Learning rates are equalised.

    Args:
        resolution: R, a power of two from 8 on.
        channels: of the images.
        channel_base, channel_max: feature maps at resolution r are `channel_base / r`, and at most `channel_max`.
        seed: of the weights.
    """

    def __init__(self, resolution: int, channels: int, channel_base: int, channel_max: int, seed: int = 0):
        super().__init__()
        randomness = torch.Generator().manual_seed(seed)
        sides = [2**power for power in range(int(math.log2(resolution)), 1, -1)]
        widths = [max(1, min(channel_base // side, channel_max)) for side in sides]
        self.from_image = EqualisedConvolution(channels, widths[0], 1, randomness=randomness)
        self.blocks = nn.Sequential(*(ResidualBlock(before, after, randomness) for before, after in pairwise(widths)))
        self.last = EqualisedConvolution(widths[-1] + 1, widths[-1], 3, randomness=randomness)
        self.hidden = Dense(16 * widths[-1], widths[-1], randomness=randomness)
        self.verdict = Dense(widths[-1], 1, randomness=randomness)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.blocks(activated(self.from_image(images)))
        maps = torch.cat([maps, deviation_in_groups(maps)], dim=1)
        maps = activated(self.last(maps))
        return self.verdict(activated(self.hidden(maps.flatten(1))))[:, 0]


class ResidualBlock(nn.Module):
    """[N, I, S, S] -> [N, O, S / 2, S / 2]: two convolutions, plus one of size 1, over sqrt 2."""

    def __init__(self, inputs: int, outputs: int, randomness: torch.Generator):
        super().__init__()
        self.first = EqualisedConvolution(inputs, inputs, 3, randomness=randomness)
        self.down = EqualisedConvolution(inputs, outputs, 3, down=True, randomness=randomness)
        self.skip = EqualisedConvolution(inputs, outputs, 1, down=True, bias=False, randomness=randomness)

    def forward(self, maps: Tensor) -> Tensor:
        return (activated(self.down(activated(self.first(maps)))) + self.skip(maps)) * math.sqrt(0.5)


class EqualisedConvolution(nn.Module):
    """Convolution whose weights are stored as N(0, 1) and divided by sqrt(inputs x kernel^2) when they are used.

    Where `down`, the side is halved: the FIR filter [1, 3, 3, 1], then a convolution of stride 2. `rate` multiplies the
    learning rate, as in `Dense`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        down: bool = False,
        bias: bool = True,
        rate: float = 1.0,
        randomness: torch.Generator,
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel, generator=randomness) / rate)
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self._gain, self._rate = rate * (inputs * kernel * kernel) ** -0.5, rate
        self._fir = Fir() if down else None
        self._padding = kernel // 2

    def forward(self, maps: Tensor) -> Tensor:
        weight = self.weight * self._gain
        bias = self.bias if self.bias is None or self._rate == 1 else self.bias * self._rate
        if self._fir is None:
            return functional.conv2d(maps, weight, bias, padding=self._padding)
        # The filter takes one row from the side, and the convolution reaches `padding` rows beyond it.
        pad = (self._padding,) * 4
        return functional.conv2d(self._fir.smooth(functional.pad(maps, pad)), weight, bias, stride=2)


def deviation_in_groups(maps: Tensor) -> Tensor:
    """Standard deviation over groups of up to 4 images, averaged over maps and places: [N, 1, H, W], one value a group.

    Groups are images i, i + N / g, i + 2 N / g, ... with the largest g up to 4 that divides N.
    """
    n, _, height, width = maps.shape
    size = next(each for each in range(_GROUP, 0, -1) if n % each == 0)
    grouped = maps.float().unflatten(0, (size, n // size))
    spread = (grouped.var(dim=0, correction=0) + _TINY).sqrt().mean(dim=(1, 2, 3))
    return spread.repeat(size)[:, None, None, None].expand(n, 1, height, width).to(maps.dtype)
