"""Encoders whose feature maps can be worked out by hand, and ones whose features are scaled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from cxrbench.pretrain.encoder import Encoder, EncoderMeta
from cxrbench.pretrain.network import Network
from tests.pretrain.tiny_encoder import tiny_encoder


class OfMaps(Network):
    """Gives what `maps` makes of normalised images."""

    dim = 1

    def __init__(self, maps: Callable[[Tensor], list[Tensor]]):
        super().__init__()
        self._maps = maps

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((1, 2, 3))[:, None]

    def pooled_and_stages(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        return self(x), self._maps(x)


def encoder_of(maps: Callable[[Tensor], list[Tensor]], name: str = "by_hand") -> Encoder:
    """An encoder whose stages are `maps` of the images themselves."""
    meta = EncoderMeta(
        name=name,
        arch="by hand",
        channels=1,
        mean=(0.0,),
        std=(1.0,),
        input_size=32,
        dim=1,
        stage_channels=(1, 1, 1, 1, 1),
        weights="none",
        sha256="0" * 64,
        seed=None,
        trained_on="nothing",
        licence="none",
    )
    return Encoder(OfMaps(maps), meta)


def two_channels(x: Tensor) -> list[Tensor]:
    """Means of blocks at strides 2 to 32, as channels y and 2 y - 1."""
    pooled = [functional.avg_pool2d(x, stride) for stride in (2, 4, 8, 16, 32)]
    return [torch.cat([each, 2 * each - 1], dim=1) for each in pooled]


class _Scaled(Network):
    def __init__(self, inner: Network, factor: float):
        super().__init__()
        self.inner, self.factor = inner, factor
        self.dim, self.stage_channels = inner.dim, inner.stage_channels

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)

    def pooled_and_stages(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        pooled, maps = self.inner.pooled_and_stages(x)
        return pooled, [self.factor * each for each in maps]


def scaled(factor: float, seed: int = 0) -> Encoder:
    """A tiny encoder with all feature maps multiplied by `factor`."""
    encoder = tiny_encoder(seed)
    network = encoder.network
    assert isinstance(network, Network)
    return Encoder(_Scaled(network, factor), replace(encoder.meta, name=f"times {factor:g}"))


def images(n: int, seed: int = 0, side: int = 64, dtype: torch.dtype = torch.float32) -> Tensor:
    """Uniform noise [n, 1, side, side] in [0, 1]."""
    return torch.rand(n, 1, side, side, generator=torch.Generator().manual_seed(seed), dtype=dtype)
