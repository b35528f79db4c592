"""Encoders by name: ours in zoo/, those of plug-ins, and those of included files. Needs no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..foundation.registry import Loader, Registry

if TYPE_CHECKING:
    from .encoder import Encoder

ZOO = Path(__file__).parent / "zoo"


class EncoderSource(ABC):
    """Where one named encoder comes from.

    A plug-in subclasses it in one file and hands an instance to `encoders.register(name, instance)`, or names
    the instance in the entry-point group `cxrbench.encoders`.
    """

    title: str = ""
    licence: str = "not stated"
    trained_on: str = "not stated"

    @abstractmethod
    def build(self, seed: int, weights: Path) -> Encoder:
        """The encoder, ready for use.

        Args:
            seed: of random weights; the others do not use it.
            weights: folder in which downloaded weights lie.

        Raises:
            UserError: weights are not here; the message says how to get them. Nothing is ever downloaded.
        """

    def missing(self, weights: Path) -> str:
        """What has to be done before `build` works here; empty where nothing has to."""
        return ""


@dataclass(frozen=True)
class EncoderListing:
    """One line of `cxrbench ls encoders`; `missing` says how to get the weights where they are not here."""

    name: str
    title: str
    licence: str
    trained_on: str
    missing: str


def _builtin() -> Mapping[str, Loader]:
    return {path.stem: partial(_load, path) for path in sorted(ZOO.glob("*.toml"))}


def _load(path: Path) -> EncoderSource:
    from .zoo_entry import read_zoo_entry

    return read_zoo_entry(path)


encoders: Registry[EncoderSource] = Registry("encoder", "cxrbench.encoders", _builtin)


def list_encoders(weights: Path | None = None) -> list[EncoderListing]:
    """All named encoders, with what is missing here; `weights` is the folder of downloaded weights."""
    from .weights_files import default_weights

    folder = weights or default_weights()
    found = {name: encoders.get(name) for name in encoders.names()}
    return [
        EncoderListing(name, source.title, source.licence, source.trained_on, source.missing(folder))
        for name, source in found.items()
    ]
