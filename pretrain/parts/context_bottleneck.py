"""The context-bottleneck of MLVICX: attention over channels, then over positions."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ContextBottleneck(nn.Module):
    """A map weighted by what its channels, and then its positions, have in common.

        a_ch = sigmoid(f(avgpool(y)) + f(maxpool(y)))        f: C -> C / reduction -> C, ReLU between, no bias
        k    = a_ch * y
        a_s  = sigmoid(conv7([mean_c(k); max_c(k)]))         7 x 7, two channels to one, no bias
        y^   = a_s * k

    Source: MLVICX, arXiv:2403.11504; the ReLU inside f is in its released code only.

    Args:
        channels: C of the maps.
        reduction: how many times narrower f is inside.
    """

    def __init__(self, channels: int, reduction: int = 2):
        super().__init__()
        inside = max(channels // reduction, 1)
        self.shared = nn.Sequential(
            nn.Conv2d(channels, inside, kernel_size=1, bias=False),
            nn.ReLU(),
            nn.Conv2d(inside, channels, kernel_size=1, bias=False),
        )
        self.positions = nn.Conv2d(2, 1, kernel_size=7, padding=3, bias=False)

    def forward(self, y: Tensor) -> Tensor:
        """Maps [B, C, H, W] -> maps of the same shape."""
        k = self.channel_attention(y) * y
        return self.spatial_attention(k) * k

    def channel_attention(self, y: Tensor) -> Tensor:
        """Maps [B, C, H, W] -> weights in (0, 1), [B, C, 1, 1]."""
        return torch.sigmoid(self.shared(F.adaptive_avg_pool2d(y, 1)) + self.shared(F.adaptive_max_pool2d(y, 1)))

    def spatial_attention(self, k: Tensor) -> Tensor:
        """Maps [B, C, H, W] -> weights in (0, 1), [B, 1, H, W]."""
        summary = torch.cat([k.mean(dim=1, keepdim=True), k.max(dim=1, keepdim=True).values], dim=1)
        return torch.sigmoid(self.positions(summary))
