"""What is known of a generator beside its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from .spec import GeneratorSpec

Kind = Literal["StyleGAN2", "StyleGAN2-architecture autoencoder"]
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True)
class GeneratorMeta:
    """Where a generator comes from.

    Attributes:
        name: for tables and figures.
        kind: how it was trained, in words; an autoencoder's decoder is never called a GAN.
        spec: its shape.
        trained_on: images and method, in words.
        licence: of the weights, in words.
        synthetic: whether it was trained on synthetic radiographs.
        sha256: of its file; empty before it is written.
    """

    name: str
    kind: Kind
    spec: GeneratorSpec
    trained_on: str = "not stated"
    licence: str = "not stated"
    synthetic: bool = False
    sha256: str = ""
