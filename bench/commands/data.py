"""`cxrbench data`: phantoms, decoded images, splits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Make phantoms, decode images ahead, write splits.", no_args_is_help=True)


@app.command()
def phantom(
    out: Annotated[Path, typer.Argument(help="Folder to write; it must not exist yet, or be empty.")],
    like: Annotated[str, typer.Option(help="Dataset whose file layout is written: a name of `ls datasets`.")],
    n: Annotated[int, typer.Option(help="Images.")] = 1000,
    size: Annotated[int, typer.Option(help="Side in pixels.")] = 256,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal images.")] = 0,
    twins: Annotated[bool, typer.Option(help="Also write a rib-free twin of every image.")] = True,
    include: Annotated[list[Path] | None, typer.Option(help="Python file that registers datasets.")] = None,
) -> None:
    """Write synthetic radiographs in the real layout of a dataset."""
    from ...data.phantom.dataset import write_phantom_dataset
    from ...foundation.progress import progress_for_terminal
    from ...foundation.registry import include as include_file

    for file in include or []:
        include_file(file)
    write_phantom_dataset(like, out, n, size, seed, twins, progress_for_terminal())
    typer.echo(f"{out}: {n} synthetic radiographs in the layout of {like}")


@app.command()
def prepare(
    dataset: Annotated[str, typer.Argument(help="A name of `ls datasets`.")],
    path: Annotated[Path, typer.Argument(help="Its folder.")],
    size: Annotated[int, typer.Option(help="Side in pixels of the decoded images.")] = 224,
    preprocessing: Annotated[str, typer.Option(help="default or paper.")] = "default",
    cache: Annotated[Path | None, typer.Option(help="Folder for decoded images.")] = None,
    include: Annotated[list[Path] | None, typer.Option(help="Python file that registers datasets.")] = None,
) -> None:
    """Decode a dataset into the cache ahead of a run, and find unreadable images."""
    from ...data import load, prepare_images
    from ...data.preprocessing import PRESETS
    from ...foundation.errors import unknown_name
    from ...foundation.files import default_cache
    from ...foundation.progress import progress_for_terminal
    from ...foundation.registry import include as include_file

    for file in include or []:
        include_file(file)
    folder = cache or default_cache()
    if preprocessing not in PRESETS:
        raise unknown_name("preprocessing", preprocessing, PRESETS)
    progress = progress_for_terminal()
    images = prepare_images(load(dataset, path), size, preprocessing, cache=folder, progress=progress)
    typer.echo(f"{dataset}: {len(images.radiographs)} images of {size} px are in {folder}")


@app.command()
def split(
    out: Annotated[Path, typer.Argument(help="CSV file to write: sample_id, patient_id, role.")],
    task: Annotated[str, typer.Option(help="Task that draws.")],
    data: Annotated[Path, typer.Option(help="Folder of its dataset.")],
    fraction: Annotated[float, typer.Option(help="Per cent of the training patients.")] = 100,
    replicate: Annotated[int, typer.Option(help="Number of the draw.")] = 0,
    variant: Annotated[str | None, typer.Option(help="Version of the task.")] = None,
    include: Annotated[list[Path] | None, typer.Option(help="Python file that registers tasks and datasets.")] = None,
) -> None:
    """Write who trains, validates and tests in one draw of a task."""
    from ...data import load
    from ...data.splits import write_split
    from ...foundation.registry import include as include_file
    from ...tasks.registry import tasks
    from ...tasks.trial import Trial
    from ..config import parse_fractions

    for file in include or []:
        include_file(file)
    found = tasks.get(task)
    variant = variant or found.meta.variants[0]
    found.check(found.meta.protocols[0], variant)
    parse_fractions(str(fraction))
    radiographs = found.select(load(found.meta.dataset, data))
    drawn = found.split(radiographs, Trial("", task, variant, found.meta.protocols[0], fraction, replicate))
    write_split(out, radiographs, drawn)
    counts = f"{len(drawn.train)} train, {len(drawn.validation)} validation, {len(drawn.test)} test"
    typer.echo(f"{out}: {counts}; no patient on two sides")
