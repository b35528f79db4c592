"""Anchors as detectron2 makes them: exact sides, all ratios of the smallest size first."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

STRIDE = 16


class ExactAnchors(AnchorGenerator):
    """Anchors of one map at stride 16 with their centres on multiples of 16 (detectron2's offset 0).

    torchvision rounds the sides to whole pixels, puts all sizes of the smallest ratio first, takes the stride from
    the shapes (wrong where the side is no multiple of 16), and the precision from the map (wrong by pixels in bf16).
    """

    def __init__(self, sizes: tuple[float, ...], ratios: tuple[float, ...]):
        super().__init__((tuple(sizes),), (tuple(ratios),))  # type: ignore[arg-type]

    def generate_anchors(
        self,
        scales: list[int],
        aspect_ratios: list[float],
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
    ) -> Tensor:
        """Boxes [sizes x ratios, 4] around 0: area size^2, height / width = ratio."""
        sizes = torch.tensor(scales, dtype=torch.float64)[:, None]
        ratios = torch.tensor(aspect_ratios, dtype=torch.float64)[None, :]
        widths = sizes / ratios.sqrt()
        heights = widths * ratios
        boxes = torch.stack([-widths, -heights, widths, heights], dim=-1) / 2
        return boxes.flatten(0, 1).to(dtype=dtype, device=device)

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        """The same float32 anchors [H x W x sizes x ratios, 4] for every image."""
        feature = feature_maps[0]
        self.set_cell_anchors(torch.float32, feature.device)
        stride = torch.tensor(STRIDE, device=feature.device)
        (anchors,) = self.grid_anchors([list(feature.shape[-2:])], [[stride, stride]])
        return [anchors] * len(image_list.image_sizes)
