"""Files with weights that others publish: where they are looked for, and how they are asked for."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import Field

from ..foundation.errors import UserError
from ..foundation.files import default_cache, expanded, sha256_of_file
from ..foundation.settings import Settings


class WeightsFile(Settings):
    """One published file.

    Attributes:
        file: its name, ours where that of its authors is not known; inside `package` a path.
        sha256: published hash, or its first characters where no more is published; empty where none is.
        md5: the same where that is the hash that is published.
        address: where it can be fetched by hand; empty where none is known.
        authors: whom to ask for it where it has no address.
        package: installed Python package that holds it, if any.
        install: the command that installs `package`.
    """

    file: str = Field(min_length=1)
    sha256: str = Field(default="", pattern="^([0-9a-f]{8,64})?$")
    md5: str = Field(default="", pattern="^([0-9a-f]{8,32})?$")
    address: str = ""
    authors: str = ""
    package: str = ""
    install: str = ""

    @property
    def published(self) -> tuple[str, str]:
        """The kind of the published hash and what is known of it, `("SHA-256", "0676ba61")`; empty where none is."""
        if self.sha256:
            return "SHA-256", self.sha256
        return ("MD5", self.md5) if self.md5 else ("", "")


@dataclass(frozen=True)
class FoundWeights:
    """A file that is here.

    Attributes:
        path: where it is.
        doubt: why it may not be the published one, in words; empty where its hash is the published one, or where none
            is published.
    """

    path: Path
    doubt: str = ""


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


def how_to_get(wanted: WeightsFile, folder: Path, add_as: str = "") -> str:
    """What a person has to do to have the file here, in one line.

    Args:
        wanted: the file.
        folder: where it has to lie.
        add_as: name under which `cxrbench encoders add` knows it; empty where it does not.
    """
    if wanted.package:
        return f"install the package {wanted.package}: {wanted.install}"
    kind, known = wanted.published
    digest = f"{kind} {'begins with ' if len(known) < _WHOLE[kind] else ''}{known}" if kind else "no hash published"
    place = f"{folder / Path(wanted.file).name} ({digest})"
    then = f"then `cxrbench encoders add {add_as} FILE`, which puts it at" if add_as else "save it as"
    return f"{_where_from(wanted)}; {then} {place}"


def require_weights(wanted: WeightsFile, folder: Path, who: str, add_as: str = "") -> FoundWeights:
    """The file, with its hash compared. Raises UserError where it is absent, naming what to do.

    Args:
        wanted: the file.
        folder: where it is looked for first.
        who: the encoder, named in the error.
        add_as: see `how_to_get`.
    """
    path = find_weights(wanted, folder)
    if path is None:
        file = Path(wanted.file).name
        raise UserError(f"{who}: its weights {file} are not here; {how_to_get(wanted, folder, add_as)}")
    return FoundWeights(path, doubt_of(wanted, path))


def doubt_of(wanted: WeightsFile, path: Path) -> str:
    """Why the file `path` may not be the published one, in words; empty where nothing says so.

    Another file is used all the same, and is marked wherever its numbers stand. Where no hash is published there is
    nothing to compare with.
    """
    kind, known = wanted.published
    found = _hash_of(path, kind)
    if found.startswith(known):
        return ""
    return f"unverified: its {kind} begins with {found[:_SHOWN]}, that of the published file with {known[:_SHOWN]}"


# Characters of a whole hash.
_WHOLE = {"SHA-256": 64, "MD5": 32}
# Characters of hashes in words.
_SHOWN = 12


def _hash_of(path: Path, kind: str) -> str:
    if kind == "MD5":
        with path.open("rb") as file:
            # Tells files apart; nobody is kept out by it.
            return hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest()
    return sha256_of_file(path) if kind else ""


def _where_from(wanted: WeightsFile) -> str:
    if wanted.address:
        return f"fetch {wanted.address}"
    return (
        f"no address of the file is known, ask its authors: {wanted.authors}"
        if wanted.authors
        else "copy it from where it was made"
    )


def _torch_hub() -> Path:
    """Where torch hub keeps downloaded weights, found as torch does but without importing it."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", f"{cache}/torch")
    return expanded(home) / "hub" / "checkpoints"
