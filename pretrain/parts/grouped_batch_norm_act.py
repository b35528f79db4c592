"""timm's batch normalisation with an activation, in groups of images; apart, because it imports timm."""

from __future__ import annotations

from timm.layers.norm_act import BatchNormAct2d

from .grouped_batch_norm import _Grouped


class GroupedBatchNormAct2d(_Grouped, BatchNormAct2d):
    """`BatchNormAct2d` in groups of images."""
