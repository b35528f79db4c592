"""StyleGAN2's generator: the network, its files, and its training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...foundation.handing_on import lazily

if TYPE_CHECKING:
    from .files import load_generator, read_generator_meta, save_generator
    from .meta import GeneratorMeta
    from .network import Generator
    from .spec import GeneratorSpec

__all__ = [
    "Generator",
    "GeneratorMeta",
    "GeneratorSpec",
    "load_generator",
    "read_generator_meta",
    "save_generator",
]

# Name -> module; looked up on use, because some of them import torch.
_HOMES = {
    "Generator": "network",
    "GeneratorMeta": "meta",
    "GeneratorSpec": "spec",
    "load_generator": "files",
    "read_generator_meta": "files",
    "save_generator": "files",
}

__getattr__ = lazily(__name__, _HOMES)
