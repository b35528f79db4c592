"""An encoder from what a user writes: a zoo name, `timm:NAME`, or a checkpoint of their own."""

from __future__ import annotations

import re
from pathlib import Path

from ..foundation.errors import UserError
from ..foundation.files import expanded
from .architectures import TIMM
from .building import load_from_file, load_user_checkpoint, random_timm_encoder
from .encoder import Encoder
from .source import encoders
from .weights_files import default_weights
from .zoo_entry import ZooSource, read_zoo_entry


def load_encoder(spec: str, seed: int = 0, *, weights: Path | None = None) -> Encoder:
    """The encoder that `spec` names, on the CPU, in evaluation mode. Nothing is ever downloaded.

    Args:
        spec: one of
            `NAME`: an encoder of the zoo, of a plug-in or of an included file;
            `timm:NAME`: a timm backbone with random weights;
            `NAME=PATH`: the checkpoint PATH, shown as NAME. Where NAME is in the zoo, its architecture and
            normalisation hold; else a file of `save_encoder` says them itself, and for others a ResNet-18, 34,
            50 or 101 with one or three channels is recognised by its shapes, with ImageNet's normalisation for
            three channels, mean and standard deviation 0.5 for one;
            `NAME:ARCH=PATH`, `timm:NAME=PATH`: the same with the architecture stated, `mine:timm:densenet121=PATH`;
            `NAME=PATH.toml`: a description as in the zoo, whose weights lie beside it.
        seed: of random weights; the others do not use it.
        weights: folder of downloaded weights; by default `weights` in the cache.

    Raises:
        UserError: an unknown name, weights that are not here, or a file that is not what it should be.
    """
    folder = Path(weights) if weights is not None else default_weights()
    left, equals, place = spec.partition("=")
    if not equals and not spec.startswith(TIMM) and spec not in encoders.names() and expanded(spec).is_file():
        raise UserError(f"--encoder {spec}: give the checkpoint a name: --encoder mine={spec}")
    if not equals:
        return random_timm_encoder(spec, seed) if spec.startswith(TIMM) else encoders.get(spec).build(seed, folder)
    name, arch = _name_and_arch(left)
    if not re.fullmatch(r"[A-Za-z0-9][\w.+:-]*", name) or not place:
        raise UserError(f"--encoder {spec}: write NAME=PATH; a name has letters, digits and _ . + - only")
    path = expanded(place)
    if path.suffix == ".toml":
        return read_zoo_entry(path, name, weights_beside=True).build(seed, folder)
    if not arch and name in encoders.names():
        return _into_known(name, path)
    return load_user_checkpoint(name, arch, path)


def _name_and_arch(left: str) -> tuple[str, str]:
    """`mine` -> (mine, ""); `mine:resnet18` -> (mine, resnet18); `timm:vgg11` -> (timm:vgg11, timm:vgg11)."""
    if left.startswith(TIMM):
        return left, left
    name, _, arch = left.partition(":")
    return name, arch


def _into_known(name: str, path: Path) -> Encoder:
    source = encoders.get(name)
    if not isinstance(source, ZooSource):
        raise UserError(f"--encoder {name}={path}: {name} is a plug-in with weights of its own; choose another name")
    return load_from_file(name, source.entry, path)
