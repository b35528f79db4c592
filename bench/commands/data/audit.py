"""`cxrbench data audit`: images and patients that two sides share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import IncludeOption

if TYPE_CHECKING:
    from ....data.audit import Audit

LEAK = 1


def audit(
    what: Annotated[
        str,
        typer.Argument(metavar="A", help="NAME=PATH of a dataset, a folder of images, or a file that lists images."),
    ],
    against: Annotated[
        str | None,
        typer.Option(metavar="B", help="What A must not share test images with, named like A: a pretraining list."),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="File for everything found, as JSON.")] = None,
    encoder: Annotated[
        Path | None,
        typer.Option(metavar="ENCODER.toml", help="Encoder pretrained on B: an overlap is written into its TOML."),
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for hashes and thumbnails.")] = None,
    include: IncludeOption = None,
) -> None:
    """Find images and patients on two splits of A, or in both A and B.

    Compared are ids (NIH images inside RSNA and SIIM-ACR too), patients, bit-equal pixels, and near-duplicates:
    resized, re-encoded, windowed, slightly cropped. Exit code 1 where anything is on two sides; train images of A that
    B has too are told, and no leak.
    """
    from json import dumps

    from ....data import audit as auditing
    from ....data.reading import Reading
    from ....foundation.progress import progress_for_terminal
    from ....foundation.registry import include as include_file
    from ...config import run_config
    from ..written import refuse_unwritable, write

    for file in include or []:
        include_file(file)
    refuse_unwritable("--json", json)
    folder = run_config({"cache": cache}, needs_grid=False).cache
    progress = progress_for_terminal()
    if encoder is not None:
        _refuse_encoder(what, against, encoder)
    reading = Reading(progress=progress, cache=folder)
    a = auditing.read_side(what, reading)
    b = None if against is None else auditing.read_side(against, reading)
    found = auditing.audit(a, b, folder, progress)
    typer.echo(auditing.report(found), nl=False)
    written = _written_into(encoder, found)
    if json is not None:
        content = auditing.as_json(found) | {"encoder": written}
        write(dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", json)
    if found.leak:
        raise typer.Exit(LEAK)


def _refuse_encoder(what: str, against: str | None, encoder: Path) -> None:
    """What is wrong with --encoder is said before the work."""
    from ....data import datasets
    from ....foundation.errors import UserError
    from ....pretrain.zoo_entry import read_zoo_entry

    name = what.partition("=")[0]
    if against is None:
        raise UserError(f"--encoder {encoder}: give what it was pretrained on: --against LIST, FOLDER or NAME=PATH")
    if "=" not in what or name not in datasets.names():
        raise UserError(f"--encoder {encoder}: A must be a dataset, NAME=PATH, because its name goes into the file")
    read_zoo_entry(encoder)


def _written_into(encoder: Path | None, found: Audit) -> dict[str, object] | None:
    if encoder is None:
        return None
    from ....pretrain.contamination import add_contamination

    name = found.a.dataset
    changed = found.leak and add_contamination(encoder, name)
    if changed:
        typer.echo(f"{encoder}: {name} added to contamination; records made with it from now on say so")
    elif found.leak:
        typer.echo(f"{encoder}: {name} is in its contamination already")
    elif found.train_only:
        typer.echo(f"{encoder}: left as it is, no test image or test patient of {name} is shared")
    else:
        typer.echo(f"{encoder}: left as it is")
    return {"file": str(encoder), "dataset": name, "added": bool(changed)}
