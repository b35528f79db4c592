"""An encoder of one's own in one file: `cxrbench run --include thumbnail_encoder.py --encoder thumbnail ...`."""

from __future__ import annotations

from pathlib import Path

import torch

from cxrbench.pretrain import Encoder, EncoderMeta, EncoderSource, encoders
from cxrbench.pretrain.network import Network


class Thumbnail(Network):
    """Not a network at all: the image, shrunk to 8 x 8 grey values."""

    dim = 64

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gain * torch.nn.functional.adaptive_avg_pool2d(x, 8).flatten(1)


class ThumbnailSource(EncoderSource):
    """Where the encoder `thumbnail` comes from."""

    title = "Image shrunk to 8 x 8: what any encoder should beat"
    licence = "Apache-2.0"
    trained_on = "nothing"

    def build(self, seed: int, weights: Path) -> Encoder:
        from cxrbench.pretrain.encoder import hash_of_tensors

        network = Thumbnail()
        meta = EncoderMeta(
            name="thumbnail",
            arch="thumbnail",
            channels=1,
            mean=(0.5,),
            std=(0.25,),
            input_size=64,
            dim=network.dim,
            stage_channels=(),
            weights="none to speak of",
            sha256=hash_of_tensors(network.state_dict()),
            seed=None,
            trained_on=self.trained_on,
            licence=self.licence,
        )
        return Encoder(network, meta)


encoders.register("thumbnail", ThumbnailSource())
