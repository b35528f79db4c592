"""Files with weights that others publish: where they are looked for, and how they are asked for."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from pydantic import Field

from ..foundation.errors import UserError
from ..foundation.files import default_cache, expanded, sha256_of_file
from ..foundation.settings import Settings


class WeightsFile(Settings):
    """One published file.

    Attributes:
        file: its name; inside `package` a path.
        sha256: published hash, or its first characters where no more is published; empty where none is.
        address: where it can be fetched by hand.
        package: installed Python package that holds it, if any.
        install: the command that installs `package`.
    """

    file: str = Field(min_length=1)
    sha256: str = Field(default="", pattern="^([0-9a-f]{8,64})?$")
    address: str
    package: str = ""
    install: str = ""


def default_weights() -> Path:
    """The folder that is searched for weights where no other is given."""
    return default_cache() / "weights"


def find_weights(wanted: WeightsFile, folder: Path) -> Path | None:
    """The file in `folder`, in torch hub's folder or in its package; None where it is in none of them."""
    name = Path(wanted.file).name
    places = [folder / name, _torch_hub() / name]
    if wanted.package:
        spec = importlib.util.find_spec(wanted.package)
        places += [Path(place) / wanted.file for place in (spec.submodule_search_locations or [] if spec else [])]
    return next((place for place in places if place.is_file()), None)


def how_to_get(wanted: WeightsFile, folder: Path) -> str:
    """What a person has to do to have the file here, in one line."""
    if wanted.package:
        return f"install the package {wanted.package}: {wanted.install}"
    name = Path(wanted.file).name
    digest = f"SHA-256 {'begins with ' if len(wanted.sha256) < 64 else ''}{wanted.sha256}"
    return f"fetch {wanted.address} and save it as {folder / name} ({digest if wanted.sha256 else 'no hash published'})"


def require_weights(wanted: WeightsFile, folder: Path, who: str) -> Path:
    """The file, with its hash checked. Raises UserError where it is absent or is another file."""
    path = find_weights(wanted, folder)
    if path is None:
        raise UserError(f"{who}: its weights {Path(wanted.file).name} are not here; {how_to_get(wanted, folder)}")
    if wanted.sha256:
        found = sha256_of_file(path)
        if not found.startswith(wanted.sha256):
            raise UserError(
                f"{path}: is not the published file of {who}: its SHA-256 is {found}, not {wanted.sha256}...; "
                f"fetch {wanted.address} again, or use it as it is with {who}={path}"
            )
    return path


def _torch_hub() -> Path:
    """Where torch hub keeps downloaded weights, found as torch does but without importing it."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", f"{cache}/torch")
    return expanded(home) / "hub" / "checkpoints"
