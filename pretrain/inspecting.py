"""What a file with weights is: layout, architecture, what would be loaded, and whether its normalisation fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..foundation.errors import UserError
from ..foundation.files import sha256_of_file
from .architectures import build_network
from .building import SAVED_BY_US, described, guess_arch, usual_normalisation
from .checkpoints import Match, Tensors, is_safetensors, match, metadata_entry, read_tensors
from .initialisation import private_randomness
from .normalisation_check import NormalisationCheck, check_normalisation
from .zoo_entry import ZooEntry

# Statistics of convolutions depend little on the size above this; larger images only take longer.
MOST_PIXELS = 224


@dataclass(frozen=True)
class Inspection:
    """All that is found about a file.

    Attributes:
        path: the file.
        sha256: hash of its bytes.
        size: in bytes.
        safetensors: whether it is a safetensors file; else one that torch.save wrote.
        tensors: how many it holds.
        numbers: how many numbers they hold.
        says: what it says about itself; empty unless `save_encoder` wrote it.
        arch: its architecture.
        arch_from: how that is known, in words.
        channels, mean, std, input_size: input of the network.
        normalisation_from: how that is known, in words.
        match: what is loaded, what is left out, and what does not fit.
        check: whether the normalisation fits the weights; None where the weights do not fit the architecture.
    """

    path: Path
    sha256: str
    size: int
    safetensors: bool
    tensors: int
    numbers: int
    says: dict[str, Any]
    arch: str
    arch_from: str
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    input_size: int
    normalisation_from: str
    match: Match
    check: NormalisationCheck | None

    @property
    def fits(self) -> bool:
        """Whether `load_encoder` would take it."""
        return bool(self.match.fit.names) and not self.match.problems


def inspect_weights(
    path: Path,
    *,
    arch: str = "",
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    entry: ZooEntry | None = None,
) -> Inspection:
    """Look at the file `path` as loading would; nothing in it is run.

    Args:
        path: a checkpoint.
        arch: its architecture; empty for that of `entry`, of the file itself, or a guess.
        mean, std: the normalisation to check; None for that of `entry`, of the file itself, or the usual one.
        entry: encoder of the zoo that the file is looked at as.

    Raises:
        UserError: the file is no checkpoint, of no known architecture, or mean and std are not one value a channel.
    """
    tensors = read_tensors(path)
    says = metadata_entry(path, SAVED_BY_US)
    about: dict[str, Any]
    arch, arch_from, about, about_from = _described(path, tensors, says, arch, entry)
    if mean is not None or std is not None:
        about = {**about, **_given(mean, std, about["channels"])}
        about_from = "as given"
    with private_randomness(0):
        network = build_network(arch, about["channels"])
    own = network.library().state_dict()
    found = match(own, tensors)
    check = None
    if found.fit.names and not found.problems:
        given = {name: tensors[original] for name, original in found.fit.names.items()}
        network.library().load_state_dict({**own, **given})
        # Without stages it may take one size only.
        size = min(about["input_size"], MOST_PIXELS) if network.stage_channels else about["input_size"]
        check = check_normalisation(network.eval(), about["mean"], about["std"], size)
    return Inspection(
        path=path,
        sha256=sha256_of_file(path),
        size=path.stat().st_size,
        safetensors=is_safetensors(path),
        tensors=len(tensors),
        numbers=sum(tensor.numel() for tensor in tensors.values()),
        says=says,
        arch=arch,
        arch_from=arch_from,
        channels=about["channels"],
        mean=tuple(about["mean"]),
        std=tuple(about["std"]),
        input_size=about["input_size"],
        normalisation_from=about_from,
        match=found,
        check=check,
    )


def _described(
    path: Path, tensors: Tensors, says: dict[str, Any], arch: str, entry: ZooEntry | None
) -> tuple[str, str, dict[str, Any], str]:
    """Architecture and how it is known, channels with normalisation and how they are known."""
    if entry is not None:
        return arch or entry.arch, "as given" if arch else "of that encoder", described(entry), "of that encoder"
    if says:
        lacking = [key for key in ("arch", "channels", "mean", "std", "input_size") if key not in says]
        if lacking:
            raise UserError(f"{path}: its metadata entry {SAVED_BY_US!r} lacks {lacking[0]!r}")
        return arch or str(says["arch"]), "as given" if arch else "the file says so", says, "the file says so"
    known = "as given" if arch else "guessed from names and shapes"
    arch = arch or guess_arch(tensors, path)
    return arch, known, usual_normalisation(tensors, arch, path), "assumed: the file does not say"


def _given(mean: Sequence[float] | None, std: Sequence[float] | None, channels: int) -> dict[str, tuple[float, ...]]:
    if mean is None or std is None:
        raise UserError("give both --mean and --std, or neither")
    found = {"mean": tuple(mean), "std": tuple(std)}
    for name, values in found.items():
        if len(values) not in (1, channels):
            raise UserError(f"--{name}: {len(values)} values for {channels} channels; give one, or one a channel")
        found[name] = values * channels if len(values) == 1 else values
    if any(value <= 0 for value in found["std"]):
        raise UserError("--std: must be above 0")
    return found
