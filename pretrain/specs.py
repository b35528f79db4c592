"""What a user writes after `--encoder`, taken apart. Needs no torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..foundation.errors import UserError
from ..foundation.files import expanded
from .source import encoders

TIMM = "timm:"
HUGGING_FACE = "hf:"
# What pretraining writes beside its weights.
DESCRIPTION = "encoder.toml"
_NAME = r"[A-Za-z0-9][\w.+:-]*"


@dataclass(frozen=True)
class EncoderSpec:
    """One encoder as written.

    Attributes:
        name: what it is called in records and tables.
        place: after `=`, or the whole where it is a folder or `hf:ORG/NAME`; empty for a name alone.
        arch: architecture stated in `NAME:ARCH=PATH`; empty where none is.
    """

    name: str
    place: str = ""
    arch: str = ""


def parse_spec(spec: str) -> EncoderSpec:
    """`NAME`, `timm:NAME`, `hf:ORG/NAME`, `DIR`, `NAME=PLACE` or `NAME:ARCH=PLACE`.

    Raises UserError where the name is missing or cannot be one; the place is not looked at, except to tell a folder
    from a name.
    """
    left, equals, place = spec.partition("=")
    if not equals:
        return _without_name(spec)
    name, _, arch = (left, "", left) if left.startswith(TIMM) else left.partition(":")
    if not re.fullmatch(_NAME, name) or not place:
        raise UserError(f"--encoder {spec}: write NAME=PATH; a name has letters, digits and _ . + - only")
    return EncoderSpec(name, place, arch)


def _without_name(spec: str) -> EncoderSpec:
    if spec.startswith(HUGGING_FACE):
        return EncoderSpec(spec, spec)
    if spec.startswith(TIMM) or spec in encoders.names():
        return EncoderSpec(spec)
    path = expanded(spec)
    if path.is_file():
        raise UserError(f"--encoder {spec}: give the checkpoint a name: --encoder mine={spec}")
    if not path.is_dir():
        return EncoderSpec(spec)
    name = path.resolve().name
    if not re.fullmatch(_NAME, name):
        raise UserError(f"--encoder {spec}: give the folder's encoder a name: --encoder mine={spec}")
    return EncoderSpec(name, spec)


def description_in(folder: Path) -> Path | None:
    """The description of the encoder that lies in `folder`; None where there is none."""
    path = folder / DESCRIPTION
    return path if path.is_file() else None
