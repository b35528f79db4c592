"""What a pretraining starts from: random weights, or an encoder with the heads, queue and momentum networks it had."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from ...foundation.errors import UserError
from ...foundation.files import expanded
from ..building import random_encoder
from ..checkpoints import read_tensors
from ..encoder import Encoder
from ..loading import DESCRIPTION, load_encoder
from ..method import Method
from ..source import encoders
from ..weights_files import default_weights, find_weights
from ..zoo_entry import ZooEntry, ZooSource, read_zoo_entry
from .settings import PretrainingSettings
from .unfinished import read_unfinished

METHOD_WEIGHTS = "method.safetensors"
# Settings that an encoder of --init brings with it.
BROUGHT = ("channels", "initialisation", "normalisation.mean", "normalisation.std")
_ENCODER = "encoder."


@dataclass(frozen=True)
class Start:
    """What a pretraining starts from.

    Attributes:
        init: `--init` as it was given; empty for random weights.
        encoder: to train, on the CPU.
        words: where its weights come from.
        tensors: heads, queue and momentum networks under the method's own names.
        notes: sentences on what was found, for the user.
        untrained: description of the encoder with random weights; None where it was not begun from them.
    """

    init: str
    encoder: Encoder
    words: str
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    untrained: ZooEntry | None = None


def random_start(name: str, arch: str, settings: PretrainingSettings[Any], seed: int, mean: float, sd: float) -> Start:
    """The architecture `arch` with weights drawn from `seed`, which normalises by `mean` and `sd`.

    Raises UserError for an unknown architecture.
    """
    entry = ZooEntry(
        title=f"{name} before pretraining: random weights",
        arch=arch,
        channels=settings.channels,  # type: ignore[arg-type]
        mean=(mean,) * settings.channels,
        std=(sd,) * settings.channels,
        input_size=settings.image_size,
        initialisation=settings.initialisation,
        licence="no weights",
        trained_on="nothing",
    )
    encoder = random_encoder(name, entry, seed).fresh(seed)
    return Start("", encoder, f"{encoder.meta.weights}, seed {seed}", untrained=entry)


def start_from(init: str, arch: str | None, method: str, kind: type[Method], given: Collection[str]) -> Start:
    """The encoder that `init` names, and what else of its pretraining is there.

    Args:
        init: a folder that a pretraining wrote, finished or with a checkpoint; a zoo name, `NAME=PATH` or `timm:NAME`;
            or a checkpoint file.
        arch: what the user named, which must be the encoder's; None where nothing was named.
        method: which will go on.
        kind: its class.
        given: dotted keys of settings that the user set.

    Raises:
        UserError: what `load_encoder` raises, another architecture, or settings that the encoder brings with it.
    """
    brought = [key for key in given if key in BROUGHT]
    if brought:
        raise UserError(f"--init {init} brings its own {brought[0]}; leave out --set {brought[0]}")
    folder = _folder(init)
    tensors: Mapping[str, Tensor]
    if folder is not None and not (folder / DESCRIPTION).is_file():
        unfinished = read_unfinished(folder)
        encoder = unfinished.encoder
        tensors, notes = _if_same(unfinished.tensors, unfinished.method, init, method)
    else:
        encoder = load_encoder(_spec(init, arch)).fresh(0)
        tensors, notes = _of_a_checkpoint(init, method, kind) if folder is None else _of_a_folder(folder, init, method)
    if arch is not None and arch != encoder.meta.arch:
        raise UserError(f"--init {init} is a {encoder.meta.arch}, not a {arch}; leave out --arch")
    words = f"{encoder.meta.name}: {encoder.meta.weights} (SHA-256 of its tensors {encoder.meta.sha256[:12]}...)"
    return Start(init, encoder, words, tensors, tuple(notes))


def take(method: Method, tensors: Mapping[str, Tensor]) -> tuple[list[str], list[str]]:
    """Put `tensors` into the parts of `method` that they fit; the encoder is left alone.

    A part (`head`, `queue`) is taken whole, or stays as it was drawn where a name is missing or has another shape.

    Returns:
        Names of the parts that were taken, and of those that were not.
    """
    own = {name: value for name, value in method.state_dict().items() if not name.startswith(_ENCODER)}
    parts = _parts(own)
    taken = [part for part, names in parts.items() if all(_fits(own[name], tensors.get(name)) for name in names)]
    chosen = {name: tensors[name] for part in taken for name in parts[part]}
    method.load_state_dict({**method.state_dict(), **chosen})
    return taken, [part for part in parts if part not in taken]


def _parts(names: Iterable[str]) -> dict[str, list[str]]:
    """Names by the part of the method that they belong to: `queue.keys` to `queue`."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.split(".")[0], []).append(name)
    return found


def _fits(own: Tensor, found: Tensor | None) -> bool:
    return found is not None and found.shape == own.shape and found.is_floating_point() == own.is_floating_point()


def _folder(init: str) -> Path | None:
    """The folder that `init` names, `DIR` or `NAME=DIR`, unless a zoo encoder is called so."""
    if init in encoders.names():
        return None
    places = [init, init.partition("=")[2]]
    return next((expanded(place) for place in places if place and expanded(place).is_dir()), None)


def _file(init: str) -> Path | None:
    """The file of weights that `init` names."""
    if init in encoders.names():
        source = encoders.get(init)
        wanted = source.entry.weights if isinstance(source, ZooSource) else None
        return None if wanted is None else find_weights(wanted, default_weights())
    places = [init, init.partition("=")[2]]
    return next((expanded(place) for place in places if place and expanded(place).is_file()), None)


def _spec(init: str, arch: str | None) -> str:
    """`init` as `load_encoder` takes it: a file gets a name."""
    if init in encoders.names() or not expanded(init).is_file():
        return init
    # A file of ours says its architecture itself, and for others the user's word counts.
    return f"init:{arch}={init}" if arch else f"init={init}"


def _of_a_folder(folder: Path, init: str, method: str) -> tuple[Mapping[str, Tensor], list[str]]:
    entry = read_zoo_entry(folder / DESCRIPTION).entry
    file = folder / METHOD_WEIGHTS
    if not file.is_file():
        return {}, [f"--init {init} has no {METHOD_WEIGHTS}: all but the encoder is drawn anew"]
    return _if_same(read_tensors(file), str(entry.pretraining.get("method", "")), init, method)


def _if_same(
    tensors: Mapping[str, Tensor], before: str, init: str, method: str
) -> tuple[Mapping[str, Tensor], list[str]]:
    """What another method calls alike means something else."""
    if before == method:
        return tensors, []
    return {}, [f"--init {init} was pretrained by {before or 'another method'}: all but the encoder is drawn anew"]


def _of_a_checkpoint(init: str, method: str, kind: type[Method]) -> tuple[dict[str, Tensor], list[str]]:
    file = _file(init)
    if file is None or file.suffix == ".toml":
        return {}, []
    tensors = kind.state_from(read_tensors(file))
    return tensors, [] if tensors else [
        f"--init {init} has nothing of {method}'s own: all but the encoder is drawn anew"
    ]
