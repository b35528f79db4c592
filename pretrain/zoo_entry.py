"""One TOML an encoder: its architecture, its normalisation, and random weights or a published file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator, model_validator

from ..foundation.errors import UserError
from ..foundation.files import expanded, sha256_of_file
from ..foundation.settings import Settings, read_toml, validated
from .source import EncoderSource
from .weights_files import WeightsFile, find_weights, how_to_get, require_weights

if TYPE_CHECKING:
    from .encoder import Encoder


class ZooEntry(Settings):
    """What the TOML of an encoder says.

    Attributes:
        title: one line.
        arch: `resnet18` to `resnet101`, or `timm:NAME`.
        channels: input channels, 1 or 3.
        mean, std: normalisation of images in [0, 1], one value a channel.
        input_size: side in pixels that it was or would be trained with.
        initialisation: how random weights are drawn; or
        weights: the published file. Exactly one of the two is given.
        licence: of the weights.
        trained_on: images and method.
        source: publication or page.
        contamination: registered names of datasets whose images were used in pretraining.
        pretraining_images: file that lists the images used in pretraining, relative to the TOML; `run` looks for the
            images of a task in it.
        pretraining: how it was made, a free table: method, settings, steps, hash of the images, audit.
    """

    title: str
    arch: str
    channels: Literal[1, 3]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    input_size: int = Field(default=224, ge=32)
    initialisation: Literal["xavier_uniform", "kaiming", "library"] | None = None
    weights: WeightsFile | None = None
    licence: str = "not stated"
    trained_on: str = "not stated"
    source: str = ""
    contamination: tuple[str, ...] = ()
    pretraining_images: str | None = Field(default=None, min_length=1)
    pretraining: dict[str, object] = Field(default_factory=dict)

    @field_validator("std")
    @classmethod
    def _positive(cls, std: tuple[float, ...]) -> tuple[float, ...]:
        if any(value <= 0 for value in std):
            raise ValueError("must be above 0")
        return std

    @model_validator(mode="after")
    def _consistent(self) -> ZooEntry:
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(f"mean and std need {self.channels} values, one a channel")
        if (self.initialisation is None) == (self.weights is None):
            raise ValueError("give either initialisation or weights")
        return self


class ZooSource(EncoderSource):
    """An encoder as its TOML describes it.

    Args:
        name: what it is called.
        entry: what its TOML says.
        beside: folder in which its weights lie; None for the folder of downloaded weights.
        folder: that of the TOML, which its list of pretraining images is relative to; None for the current one.
    """

    def __init__(self, name: str, entry: ZooEntry, beside: Path | None = None, folder: Path | None = None):
        self.name = name
        self.entry = entry
        self.title, self.licence, self.trained_on = entry.title, entry.licence, entry.trained_on
        self._beside = beside
        self._at = folder or Path()

    def build(self, seed: int, weights: Path) -> Encoder:
        """Draw or load it.

        Raises UserError where the published file or the list of pretraining images is not here, or does not fit.
        """
        from .building import load_from_file, random_encoder

        listed = self._pretraining_images()
        if self.entry.weights is None:
            encoder = random_encoder(self.name, self.entry, seed)
        else:
            found = require_weights(self.entry.weights, self._folder(weights), self.name, self._add_as)
            encoder = load_from_file(self.name, self.entry, found.path, found.doubt)
        encoder.meta = replace(encoder.meta, **listed)
        return encoder

    def missing(self, weights: Path) -> str:
        """How to get the published file, where it is not here; its hash is compared by `build` only."""
        wanted = self.entry.weights
        folder = self._folder(weights)
        return "" if wanted is None or find_weights(wanted, folder) else how_to_get(wanted, folder, self._add_as)

    def _pretraining_images(self) -> dict[str, str]:
        """The list's path and hash, for the encoder's metadata; empty where the TOML names none."""
        if self.entry.pretraining_images is None:
            return {}
        path = self._at / expanded(self.entry.pretraining_images)
        try:
            digest = sha256_of_file(path)
        except OSError as error:
            raise UserError(
                f"encoder {self.name}: pretraining_images {path} cannot be read: {error.strerror}; "
                "name a file that lists them, relative to the encoder's TOML"
            ) from error
        return {"pretraining_images": str(path), "pretraining_images_sha256": digest}

    @property
    def _add_as(self) -> str:
        """Ours are put in place by name; those of a user's TOML lie beside it."""
        return "" if self._beside else self.name

    def _folder(self, weights: Path) -> Path:
        """A user's TOML has its weights beside it; ours are in the folder of downloaded weights."""
        return self._beside or weights


def read_zoo_entry(path: Path, name: str | None = None, *, weights_beside: bool = False) -> ZooSource:
    """The encoder described by a TOML file; its name is the file's unless `name` is given.

    Args:
        path: the TOML file.
        name: what the encoder is called.
        weights_beside: whether its weights lie in the folder of the TOML file.

    Raises:
        UserError: not a TOML file, an unknown key, or a value out of range.
    """
    entry = validated(ZooEntry, read_toml(path), str(path))
    return ZooSource(name or path.stem, entry, path.parent if weights_beside else None, path.parent)
