"""What an encoder needs of a backbone, whoever wrote it."""

from __future__ import annotations

import torch
from torch import nn

STRIDES = (2, 4, 8, 16, 32)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Network(nn.Module):
    """A backbone without a classifier: normalised images [B, C, H, W] in, features [B, dim] out.

    A subclass must set `dim` and write `forward`. One that has feature maps at strides 2, 4, 8, 16 and 32
    also sets `stage_channels` and writes `pooled_and_stages`.

    Attributes:
        dim: number of pooled features, D.
        stage_channels: channels of the five stage maps; empty where there are no such maps.
        mean, std: normalisation that the architecture is usually trained with, three channels.
        input_size: side in pixels that the architecture is usually trained with.
        stem: name in `library()` of the weight of the first convolution, which tells the channels taken.
    """

    dim: int
    stage_channels: tuple[int, ...] = ()
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    input_size: int = 224
    stem: str = "conv1.weight"

    @property
    def blocks(self) -> nn.ModuleList | None:
        """Stem and stages 1 to 4, each fed with the output of the one before; None where it does not come apart."""
        return None

    def library(self) -> nn.Module:
        """The module whose state dict holds the weights under the names of the library it comes from."""
        return self

    def pooled_and_stages(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Features [B, dim] and the maps at strides 2, 4, 8, 16, 32, in one pass."""
        raise NotImplementedError(f"{type(self).__name__} has no stages")
