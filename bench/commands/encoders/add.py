"""`cxrbench encoders add`: a file with weights goes where its encoder looks for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import IncludeOption

if TYPE_CHECKING:
    from ....pretrain.weights_files import WeightsFile


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Encoder: a name of `ls encoders`.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Its weights, as they were published.")],
    replace: Annotated[bool, typer.Option("--replace", help="In place of another file that is there already.")] = False,
    include: IncludeOption = None,
) -> None:
    """Put the published weights of an encoder in place, so that NAME can be used.

    FILE must fit the encoder strictly. It is copied whole or not at all, byte for byte, and its SHA-256 is told: where
    a hash is published another one is used with a warning, and marks the records; where none is, nothing can say
    whether this is the file of the authors.
    """
    from ....foundation.files import expanded, sha256_of_file
    from ....foundation.registry import include as include_file
    from ....pretrain.building import load_from_file
    from ....pretrain.weights_files import default_weights, doubt_of
    from ....pretrain.zoo_entry import ZooEntry

    for each in include or []:
        include_file(each)
    entry, wanted = _wanted(name)
    assert isinstance(entry, ZooEntry)
    file = expanded(file)
    # Fits or is refused, before anything is written.
    encoder = load_from_file(name, entry, file)
    place = default_weights() / Path(wanted.file).name
    _put(name, file, place, replace)
    typer.echo(f"{name}: {place}")
    typer.echo(f"  {encoder.meta.arch}, {encoder.meta.weights}")
    typer.echo(f"  SHA-256 {sha256_of_file(place)}: {_judged(wanted, doubt_of(wanted, place))}")
    typer.echo(f"  look at it with: cxrbench encoders inspect {place} --like {name}")


def _wanted(name: str) -> tuple[object, WeightsFile]:
    from ....foundation.errors import UserError
    from ....pretrain.source import encoders
    from ....pretrain.zoo_entry import ZooSource

    source = encoders.get(name)
    if not isinstance(source, ZooSource):
        raise UserError(f"{name} is a plug-in with weights of its own; name a checkpoint with --encoder mine=FILE")
    if source.entry.weights is None:
        raise UserError(f"{name} has random weights and needs no file; name a checkpoint with --encoder mine=FILE")
    return source.entry, source.entry.weights


def _put(name: str, file: Path, place: Path, replace: bool) -> None:
    """Copy `file` to `place`, whole or not at all."""
    import shutil

    from ....foundation.errors import RefusedError
    from ....foundation.files import new_file, sha256_of_file

    if place.exists():
        if place.samefile(file) or sha256_of_file(place) == sha256_of_file(file):
            return
        if not replace:
            raise RefusedError(
                f"{name}: another file is at {place} already; look at it with `cxrbench encoders inspect {place}`, or "
                "put this one in its place with --replace"
            )
    with new_file(place) as beside:
        shutil.copyfile(file, beside)


def _judged(wanted: WeightsFile, doubt: str) -> str:
    """What the hash says."""
    kind, known = wanted.published
    if not kind:
        return "its authors publish no hash, so nothing can say whether this is their file"
    if not doubt:
        return "the published file"
    return f"WARNING: not the published file ({kind} {known}); it is used, and its records are marked unverified"
