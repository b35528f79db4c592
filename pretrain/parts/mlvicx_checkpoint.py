"""Bottlenecks, multi-level embedding and expanders in the layout of MLVICX' released checkpoints."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

# Pattern of a released name -> ours; {0} is its number, moved by the amount that stands beside it.
_LAYOUT: tuple[tuple[re.Pattern[str], str, int], ...] = (
    (re.compile(r"cbt([1-5])\.cam\.fc\."), "bottlenecks.{0}.shared.", -1),
    (re.compile(r"cbt([1-5])\.sam\.conv1\."), "bottlenecks.{0}.positions.", -1),
    (re.compile(r"resize_project\.convs\.(\d)\."), "levels.convolutions.{0}.", 0),
    (re.compile(r"resize_project\.conv_head\.projection\.(\d)\."), "local_expander.layers.{0}.", -2),
)
# Three linear layers, each with its normalisation, in sequences of their own.
_GLOBAL = re.compile(r"projetion\.l([1-3])\.([01])\.")


def parts_of_checkpoint(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a released checkpoint -> all but the encoder, named as in `MLVICX`; empty for other layouts.

    The released linear layers have a bias before the normalisation, which takes it away again: ours have none, and
    the normalisation's running mean is moved by it.
    """
    bare = {re.sub(r"^(?:module\.|online\.|encoder\.(?=\D))+", "", name): each for name, each in tensors.items()}
    found = {ours: each for name, each in bare.items() if (ours := _name(name)) is not None}
    return _without_biases(found)


def _name(name: str) -> str | None:
    for pattern, ours, moved in _LAYOUT:
        match = pattern.match(name)
        if match:
            return ours.format(int(match[1]) + moved) + name[match.end() :]
    match = _GLOBAL.match(name)
    if match is None:
        return None
    return f"global_expander.layers.{3 * (int(match[1]) - 1) + int(match[2])}.{name[match.end() :]}"


def _without_biases(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    kept = dict(found)
    for expander in ("global_expander", "local_expander"):
        for layer in (0, 3, 6):
            mean = f"{expander}.layers.{layer + 1}.running_mean"
            bias = kept.pop(f"{expander}.layers.{layer}.bias", None)
            if bias is not None and mean in kept:
                kept[mean] = kept[mean] - bias
    return kept
