"""The FIR filter [1, 3, 3, 1] of StyleGAN2, against aliasing where the resolution changes (Karras et al. 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

TAPS = (1.0, 3.0, 3.0, 1.0)


class Fir(nn.Module):
    """Each map convolved with the outer product of [1, 3, 3, 1] / 8 with itself, zeros being beyond the border."""

    _taps: Tensor

    def __init__(self):
        super().__init__()
        taps = torch.tensor(TAPS) / sum(TAPS)
        # No weights: not part of a state dict.
        self.register_buffer("_taps", torch.outer(taps, taps), persistent=False)

    def smooth(self, maps: Tensor, gain: float = 1.0) -> Tensor:
        """[N, C, H, W] -> [N, C, H - 1, W - 1], times `gain`, after one row of zeros all around.

        Where [N, C, 2H + 1, 2W + 1] comes out of a transposed convolution of stride 2 the gain is 4.
        """
        channels = maps.shape[1]
        return functional.conv2d(maps, self._each(channels, gain), padding=1, groups=channels)

    def upsample(self, maps: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C, 2H, 2W]: zeros between the pixels, then the filter with gain 4.

        Along each side pixel 2i is (x[i - 1] + 3 x[i]) / 4 and pixel 2i + 1 is (3 x[i] + x[i + 1]) / 4.
        """
        channels = maps.shape[1]
        return functional.conv_transpose2d(maps, self._each(channels, 4.0), stride=2, padding=1, groups=channels)

    def _each(self, channels: int, gain: float) -> Tensor:
        return (self._taps * gain).expand(channels, 1, 4, 4)
