"""`cxrbench data phantom`: synthetic radiographs in the layout of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..options import IncludeOption


def phantom(
    out: Annotated[Path, typer.Argument(help="Folder to write; it must not exist yet, or be empty.")],
    like: Annotated[str, typer.Option(help="Dataset whose file layout is written: a name of `ls datasets`.")],
    n: Annotated[int | None, typer.Option(help="Images.  (default: 1000; 60 where they are large)")] = None,
    size: Annotated[int, typer.Option(help="Side in pixels.")] = 256,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal images.")] = 0,
    twins: Annotated[bool, typer.Option(help="Also write a rib-free twin of every image.")] = True,
    include: IncludeOption = None,
) -> None:
    """Write synthetic radiographs in the real layout of a dataset."""
    from ....data import datasets
    from ....data.phantom.dataset import write_phantom_dataset
    from ....foundation.progress import progress_for_terminal
    from ....foundation.registry import include as include_file

    for file in include or []:
        include_file(file)
    write_phantom_dataset(like, out, n, size, seed, twins, progress_for_terminal())
    typer.echo(f"{out}: {n or datasets.get(like).phantom_images} synthetic radiographs in the layout of {like}")
