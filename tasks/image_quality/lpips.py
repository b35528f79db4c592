"""LPIPS: how different two images look, from the features of a network and weights fitted to people's judgements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from .grey_images import pairs_of_images

# Smaller images leave AlexNet's last layers without a pixel.
SMALLEST = 32
# What Zhang's scaling layer takes off each channel of an image in [-1, 1], and what it divides by.
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_EPS = 1e-10


@dataclass(frozen=True)
class Backbone:
    """A network of torchvision that LPIPS has weights for.

    Attributes:
        name: as torchvision names it.
        taps: layers of its `features`, each a ReLU, whose outputs are compared.
        channels: of those outputs.
    """

    name: str
    taps: tuple[int, ...]
    channels: tuple[int, ...]


BACKBONES = (
    Backbone("alexnet", (1, 4, 7, 9, 11), (64, 192, 384, 256, 256)),
    Backbone("vgg16", (3, 8, 15, 22, 29), (64, 128, 256, 512, 512)),
)


class Lpips(nn.Module):
    """LPIPS version 0.1 (Zhang 2018, arXiv:1801.03924) of grey images, equal to the package `lpips` 0.1.4.

    A grey image in [0, 1] is shown to the network as three equal channels in [-1, 1]. It is a metric (`values`) and a
    loss: the gradient flows to the images, never to the weights, and the network stays in eval mode.

    Args:
        backbone: which network.
        features: state dict of its `features`: `0.weight`, `0.bias`, `3.weight` ...
        linear: five weights [1, C, 1, 1], one a tap.
    """

    _shift: Tensor
    _scale: Tensor

    def __init__(self, backbone: Backbone, features: Mapping[str, Tensor], linear: Sequence[Tensor]):
        super().__init__()
        self.backbone = backbone
        layers = layers_of(backbone)
        layers.load_state_dict(dict(features), strict=True, assign=True)
        self.layers = layers[: backbone.taps[-1] + 1]
        for place, weights in enumerate(linear):
            self.register_buffer(f"linear{place}", weights.detach().clone().float(), persistent=True)
        self.register_buffer("_shift", torch.tensor(_SHIFT).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("_scale", torch.tensor(_SCALE).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False).float().eval()

    def train(self, mode: bool = True) -> Self:
        """Stays in eval mode."""
        return super().train(False)

    def features(self, images: Tensor) -> list[Tensor]:
        """Five maps [N, C, h, w] of images [N, 1, H, W], each place scaled to length 1 over the channels."""
        if images.ndim != 4 or images.shape[1] != 1 or min(images.shape[2:]) < SMALLEST:
            raise ValueError(
                f"LPIPS takes images [N, 1, H, W] of at least {SMALLEST} pixels a side, not {list(images.shape)}"
            )
        x = (2 * images - 1 - self._shift) / self._scale
        maps = []
        for place, layer in enumerate(self.layers):
            x = layer(x)
            if place in self.backbone.taps:
                maps.append(_of_unit_length(x))
        return maps

    def between(self, a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
        """LPIPS [N] from the `features` of both images."""
        parts = [
            ((x - y).square() * self.get_buffer(f"linear{place}")).sum(dim=1).mean(dim=(1, 2))
            for place, (x, y) in enumerate(zip(a, b, strict=True))
        ]
        return torch.stack(parts).sum(dim=0)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """LPIPS [N] of images [N, 1, H, W], with a gradient; values outside [0, 1] are taken as they are."""
        return self.between(self.features(a), self.features(b))

    @torch.no_grad()
    def values(self, a: Tensor, b: Tensor, batch_size: int = 16) -> Tensor:
        """The metric: float64 [N] on the images' device, 0 where the images are equal.

        Args:
            a, b: floats [N, 1, H, W] or [N, H, W] in [0, 1].
            batch_size: images that pass the network at a time.

        Raises ValueError for other shapes or types, NaN, values outside [0, 1], and images under 32 pixels a side.
        """
        a, b = pairs_of_images(a, b)
        here = self._shift.device
        parts = [
            self(x[:, None].to(here, torch.float32), y[:, None].to(here, torch.float32))
            for x, y in zip(a.split(batch_size), b.split(batch_size), strict=True)
        ]
        return torch.cat(parts).to(a.device, torch.float64) if len(a) else a.new_empty(0, dtype=torch.float64)


def layers_of(backbone: Backbone) -> nn.Sequential:
    """The `features` of torchvision's network, without weights (on the meta device)."""
    from torchvision import models

    with torch.device("meta"):
        return getattr(models, backbone.name)().features


def _of_unit_length(maps: Tensor) -> Tensor:
    # Without the floor a place where all channels are 0 has a root of infinite slope, and the gradient is NaN.
    length = maps.square().sum(dim=1, keepdim=True).clamp_min(_EPS**2).sqrt()
    return maps / (length + _EPS)
