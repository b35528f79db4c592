"""From a description to an encoder: weights drawn, or loaded from a file."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch

from ..foundation.errors import UserError
from .architectures import RESNETS, TIMM, build_network
from .checkpoints import Tensors, load_strictly, metadata_entry, read_tensors, words_for
from .encoder import Encoder, EncoderMeta, hash_of_tensors
from .initialisation import WORDS, Initialisation, draw_network, private_randomness
from .key_maps import fit_names
from .network import Network
from .zoo_entry import ZooEntry

# Images in [0, 1] -> [-1, 1], for one-channel checkpoints that say nothing about their normalisation.
GREY_MEAN, GREY_STD = (0.5,), (0.5,)
SAVED_BY_US = "cxrbench"
# Architectures that are told by names and shapes alone; the zoo has encoders of them.
GUESSED = (*RESNETS, f"{TIMM}tf_efficientnet_lite0", f"{TIMM}densenet121")
# Share of a ResNet's tensors above which nothing else is looked at.
_ENOUGH = 0.5


def random_encoder(name: str, entry: ZooEntry, seed: int) -> Encoder:
    """The encoder that `entry` describes, with weights drawn from `seed`."""
    initialisation: Initialisation = entry.initialisation or "library"
    draw = partial(draw_network, arch=entry.arch, channels=entry.channels, initialisation=initialisation)
    network = draw(seed)
    meta = _meta(name, entry.arch, network, described(entry), weights=WORDS[initialisation], sha256="")
    return Encoder(network, meta.with_seed(seed), draw).eval()


def random_timm_encoder(arch: str, seed: int) -> Encoder:
    """The timm backbone `arch` (`timm:NAME`) with the weights and the normalisation that are timm's own."""
    draw = partial(draw_network, arch=arch, channels=3, initialisation="library")
    network = draw(seed)
    about = {"channels": 3, "mean": network.mean, "std": network.std, "input_size": network.input_size}
    about |= {"trained_on": "nothing", "licence": "no weights"}
    meta = _meta(arch, arch, network, about, weights=WORDS["library"], sha256="")
    return Encoder(network, meta.with_seed(seed), draw).eval()


def load_from_file(name: str, entry: ZooEntry, path: Path, doubt: str = "") -> Encoder:
    """The encoder that `entry` describes, with the weights in `path`.

    Args:
        name: what it is called.
        entry: its description.
        path: the file.
        doubt: why the file may not be the published one; then the encoder's metadata say so.

    Raises:
        UserError: the file is no checkpoint, or does not fit.
    """
    encoder = _filled(name, entry.arch, described(entry), read_tensors(path), path)
    if doubt:
        encoder.meta = replace(encoder.meta, weights=f"{encoder.meta.weights}; {doubt}", unverified=True)
    return encoder


def load_user_checkpoint(name: str, arch: str, path: Path) -> Encoder:
    """A checkpoint of which only the file is known.

    Args:
        name: what it is called.
        arch: its architecture; empty to guess it from names and shapes of the tensors.
        path: the file. One written by `save_encoder` says all about itself. For others the channels are
            those of the first convolution, and the normalisation is the architecture's usual one for three
            channels (ImageNet's for ResNets), mean 0.5 and standard deviation 0.5 for one.

    Raises:
        UserError: the file is no checkpoint, or does not fit the architecture.
    """
    tensors = read_tensors(path)
    saved = metadata_entry(path, SAVED_BY_US)
    if saved:
        about = {"trained_on": "not stated", "licence": "not stated", **saved}
        try:
            return _filled(name, arch or str(saved["arch"]), about, tensors, path)
        except KeyError as error:
            raise UserError(f"{path}: its metadata entry {SAVED_BY_US!r} lacks {error.args[0]!r}") from error
    arch = arch or guess_arch(tensors, path)
    return _filled(name, arch, usual_normalisation(tensors, arch, path), tensors, path)


def usual_normalisation(tensors: Tensors, arch: str, path: Path) -> dict[str, Any]:
    """Channels, normalisation and size for a checkpoint that does not state them: see `load_user_checkpoint`."""
    usual, channels = _channels_of(tensors, arch, path)
    about = {"channels": channels, "mean": GREY_MEAN, "std": GREY_STD, "input_size": usual.input_size}
    if channels == 3:
        about |= {"mean": usual.mean, "std": usual.std}
    return {**about, "trained_on": "not stated", "licence": "not stated"}


def guess_arch(tensors: Tensors, path: Path) -> str:
    """The architecture of GUESSED to which most tensors fit by name and shape; the strict loader has the last word.

    Raises:
        UserError: hardly any tensor fits any.
    """
    fitting = {arch: _fitting(tensors, _shapes(arch)) for arch in RESNETS}
    if not any(good > _ENOUGH * (good - lacking) for good, lacking in fitting.values()):
        # The others cost more to outline.
        fitting |= {arch: _fitting(tensors, _shapes(arch)) for arch in GUESSED if arch not in RESNETS}
    best = max(fitting, key=lambda arch: fitting[arch])
    if fitting[best][0] == 0:
        raise UserError(
            f"{path}: none of its {len(tensors)} tensors fits {', '.join(GUESSED)}; name its architecture: "
            f"NAME:{TIMM}ARCH={path}"
        )
    return best


def _fitting(tensors: Tensors, shapes: dict[str, tuple[int, ...]]) -> tuple[int, int]:
    """Tensors that fit by name and shape, and minus those that are missing."""
    fit = fit_names(tensors, shapes)
    good = sum(tuple(tensors[given].shape) == shapes[name] for name, given in fit.names.items())
    return good, -len(fit.missing)


@lru_cache(maxsize=8)
def _shapes(arch: str) -> dict[str, tuple[int, ...]]:
    return {name: tuple(each.shape) for name, each in _outline(arch).library().state_dict().items()}


def _outline(arch: str) -> Network:
    """The usual three-channel backbone, for its names and shapes; its weights mean nothing."""
    # Without memory where that is possible; some timm models compute with weights while they are built.
    with torch.device("meta") if arch in RESNETS else private_randomness(0):
        return build_network(arch)


def _channels_of(tensors: Tensors, arch: str, path: Path) -> tuple[Network, int]:
    """The outline of the backbone, and the channels that the first convolution in `tensors` takes."""
    usual = _outline(arch)
    fit = fit_names(tensors, usual.library().state_dict())
    if usual.stem not in fit.names:
        return usual, 3
    channels = tensors[fit.names[usual.stem]].shape[1]
    if channels not in (1, 3):
        raise UserError(f"{path}: {fit.names[usual.stem]} takes {channels} channels; an encoder takes 1 or 3")
    return usual, channels


def _filled(name: str, arch: str, about: dict[str, Any], tensors: Tensors, path: Path) -> Encoder:
    with private_randomness(0):
        network = build_network(arch, about["channels"])
    channels = "one channel" if about["channels"] == 1 else "three channels"
    fit = load_strictly(network.library(), tensors, path, f"{arch} with {channels}")
    digest = hash_of_tensors(network.library().state_dict())
    meta = _meta(name, arch, network, about, weights=words_for(path, fit), sha256=digest)
    return Encoder(network, meta).eval()


def described(entry: ZooEntry) -> dict[str, Any]:
    """What an entry of the zoo says about input, origin and licence."""
    fields = ("channels", "mean", "std", "input_size", "trained_on", "licence", "contamination")
    return {field: getattr(entry, field) for field in fields}


def _meta(name: str, arch: str, network: Network, about: dict[str, Any], *, weights: str, sha256: str) -> EncoderMeta:
    return EncoderMeta(
        name=name,
        arch=arch,
        channels=about["channels"],
        mean=tuple(about["mean"]),
        std=tuple(about["std"]),
        input_size=about["input_size"],
        dim=network.dim,
        stage_channels=network.stage_channels,
        weights=weights,
        sha256=sha256,
        seed=None,
        trained_on=about["trained_on"],
        licence=about["licence"],
        contamination=tuple(about.get("contamination", ())),
    )
