"""Regions cut out of the map as detectron2 cuts them: RoIAlign, aligned, with as many samples as a cell needs."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import MultiScaleRoIAlign, roi_align

from .anchors import STRIDE

MAP = "map"


class AlignedPooling(MultiScaleRoIAlign):
    """RoIAlign of one map at stride 16: `aligned` (shifted by half a pixel), sampling ratio 0 (adaptive).

    torchvision's own is not aligned and takes 2 x 2 samples a cell whatever the size of the region.
    """

    def __init__(self, size: int):
        super().__init__([MAP], size, 0)

    def forward(self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]) -> Tensor:
        """Map [B, C, H, W] and boxes an image, in pixels of the image -> regions [R, C, size, size]."""
        feature = x[MAP]
        # The position of a sample needs float32; what comes out has the precision of the map again.
        with torch.autocast(feature.device.type, enabled=False):
            size = (self.output_size[0], self.output_size[1])
            pooled = roi_align(feature.float(), boxes, size, 1 / STRIDE, self.sampling_ratio, aligned=True)
        return pooled.to(feature.dtype)
