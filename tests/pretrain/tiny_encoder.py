"""An encoder as small as one can be that has blocks and stages, for tests of pretraining methods."""

from __future__ import annotations

import torch
from torch import nn

from cxrbench.pretrain.encoder import Encoder, EncoderMeta, hash_of_tensors
from cxrbench.pretrain.initialisation import private_randomness
from cxrbench.pretrain.network import Network

STAGES = (4, 8, 8, 16, 16)


class TinyNetwork(Network):
    """Five strided convolutions with batch normalisation; maps at strides 2, 4, 8, 16 and 32."""

    def __init__(self, channels: int = 1):
        super().__init__()
        widths = (channels, *STAGES)
        self.parts = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU())
            for a, b in zip(widths, STAGES, strict=False)
        )
        self.dim = STAGES[-1]
        self.stage_channels = STAGES

    @property
    def blocks(self) -> nn.ModuleList:
        return nn.ModuleList(list(self.parts))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pooled_and_stages(x)[0]

    def pooled_and_stages(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        maps = []
        for part in self.parts:
            x = part(x)
            maps.append(x)
        return x.mean((2, 3)), maps


def tiny_encoder(seed: int = 0) -> Encoder:
    """A `TinyNetwork` as an encoder with one channel, weights drawn from `seed`, in training mode."""
    with private_randomness(seed):
        network = TinyNetwork()
    meta = EncoderMeta(
        name="tiny",
        arch="tiny",
        channels=1,
        mean=(0.5,),
        std=(0.25,),
        input_size=32,
        dim=network.dim,
        stage_channels=network.stage_channels,
        weights="random",
        sha256=hash_of_tensors(network.state_dict()),
        seed=None,
        trained_on="nothing",
        licence="no weights",
    )
    return Encoder(network, meta).train()
