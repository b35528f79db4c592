"""Trials without an encoder: what encoders must beat, named and stored like one."""

from __future__ import annotations

import torch

from ..foundation.files import sha256_of_json
from ..pretrain.encoder import Encoder, EncoderMeta
from ..pretrain.network import Network
from .trial import NO_ENCODER


class _NoNetwork(Network):
    """Has no weights and gives no features."""

    dim = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("a reference row has no network; ask `is_reference` first")


def reference(name: str, words: str, identity: object = None) -> Encoder:
    """What stands in the place of an encoder in a row that has none.

    Args:
        name: how records and tables call it: `mse_alone`.
        words: what it does, in words: `no encoder: the error of pixels alone`.
        identity: JSON that tells two of one name apart, such as the hash of a file.
    """
    described = {"reference": name, "identity": identity}
    meta = EncoderMeta(
        name=name,
        arch=NO_ENCODER,
        channels=1,
        mean=(0.0,),
        std=(1.0,),
        input_size=0,
        dim=0,
        stage_channels=(),
        weights=words,
        sha256=sha256_of_json(described),
        seed=None,
        trained_on="nothing",
        licence="none needed",
    )
    return Encoder(_NoNetwork(), meta)


def is_reference(encoder: Encoder) -> bool:
    """Whether `encoder` is a row without an encoder."""
    return encoder.meta.arch == NO_ENCODER
