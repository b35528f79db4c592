"""Maps of several stages, brought to one grid and one width, as one vector an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MultiLevelEmbedding(nn.Module):
    """The multi-level embedding of MLVICX (arXiv:2403.11504), before its expander.

    As published: each map is resized to `grid` x `grid` by bilinear interpolation, brought to `width` channels by a
    1x1 convolution, the maps are aggregated, averaged to `cells` x `cells` and flattened. All of this is linear, and
    resizing and averaging mix positions while the convolution mixes channels, so the same result comes from
    resizing and averaging first, by one small matrix a side (`resize_and_average`), and convolving `cells` x `cells`
    positions instead of `grid` x `grid`. The matrix' rows sum to 1, which keeps the convolution's bias as it is.

    Args:
        channels: of each map.
        width: common number of channels.
        grid: side that maps are resized to.
        cells: side of the averaged grid.
        aggregation: `sum` of the maps, or their `concatenation` along channels.

    Attributes:
        dim: length of the vector: width * cells^2, times the number of maps where they are concatenated.
    """

    def __init__(
        self,
        channels: Sequence[int],
        *,
        width: int,
        grid: int,
        cells: int,
        aggregation: Literal["sum", "concatenation"],
    ):
        super().__init__()
        self.grid = grid
        self.cells = cells
        self.aggregation = aggregation
        self.convolutions = nn.ModuleList(nn.Conv2d(each, width, kernel_size=1) for each in channels)
        self.dim = width * cells**2 * (1 if aggregation == "sum" else len(channels))

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps [B, C, H, W], each of its own size -> vectors [B, dim]."""
        levels = [conv(self._cells(each)) for conv, each in zip(self.convolutions, maps, strict=True)]
        together = torch.stack(levels).sum(dim=0) if self.aggregation == "sum" else torch.cat(levels, dim=1)
        return together.flatten(1)

    def _cells(self, y: Tensor) -> Tensor:
        """Maps [B, C, H, W] -> [B, C, cells, cells], without a copy where they are channels last."""
        height, width = (resize_and_average(side, self.grid, self.cells, y) for side in y.shape[-2:])
        by_position = y.permute(0, 2, 3, 1)
        rows = height @ by_position.flatten(2)
        cells = width @ rows.unflatten(2, by_position.shape[2:])
        return cells.permute(0, 3, 1, 2)


def resize_and_average(side: int, grid: int, cells: int, like: Tensor) -> Tensor:
    """The matrix [cells, side] that resizes `side` values to `grid` linearly, and averages them to `cells`.

    Type and device are those of `like`.
    """
    unit = torch.eye(side, device=like.device).unsqueeze(0)
    resized = F.interpolate(unit, size=grid, mode="linear", align_corners=False)
    return F.adaptive_avg_pool1d(resized, cells)[0].T.to(like.dtype)
