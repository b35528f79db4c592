"""`cxrbench data`: phantoms, decoded images, splits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ...foundation.progress import Progress
    from ..config import RunConfig
    from ..plan import TaskData

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
    task: Annotated[str, typer.Option(help="Task whose images are decoded: a name of `ls tasks`.")],
    data: Annotated[str, typer.Option(help="Folder of its dataset, or phantom.")],
    preset: Annotated[str | None, typer.Option(help="Settings of a paper, by name.")] = None,
    assign: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for decoded images.")] = None,
    include: Annotated[list[Path] | None, typer.Option(help="Python file that registers tasks and datasets.")] = None,
) -> None:
    """Decode the images of a task into the cache ahead of a run, and find unreadable ones."""
    from ...data import prepare_images
    from ...foundation.progress import progress_for_terminal

    progress = progress_for_terminal()
    config, found = _task_data(task, data, preset, assign, cache, include, progress)
    size, preprocessing = found.task.image_size, found.task.preprocessing
    images = prepare_images(found.radiographs, size, preprocessing, cache=config.cache, progress=progress)
    typer.echo(f"{found.radiographs.dataset}: {len(images)} images of {size} px are in {config.cache}")


@app.command()
def split(
    out: Annotated[Path, typer.Argument(help="CSV file to write: sample_id, patient_id, role.")],
    task: Annotated[str, typer.Option(help="Task that draws.")],
    data: Annotated[str, typer.Option(help="Folder of its dataset, or phantom.")],
    fraction: Annotated[str, typer.Option(help="Per cent of the training patients.")] = "100",
    replicate: Annotated[int, typer.Option(min=0, help="Number of the draw.")] = 0,
    variant: Annotated[str | None, typer.Option(help="Version of the task.")] = None,
    preset: Annotated[str | None, typer.Option(help="Settings of a paper, by name.")] = None,
    assign: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for phantoms and hashes.")] = None,
    include: Annotated[list[Path] | None, typer.Option(help="Python file that registers tasks and datasets.")] = None,
) -> None:
    """Write who trains, validates and tests in one draw of a task."""
    from ...data.splits import write_split
    from ...foundation.errors import UserError
    from ...foundation.progress import progress_for_terminal
    from ...tasks.trial import Trial
    from ..config import parse_fractions

    fractions = parse_fractions(fraction, "--fraction") or ()
    if len(fractions) != 1:
        raise UserError(f"--fraction {fraction}: a split is of one fraction; write one file for each")
    _, found = _task_data(task, data, preset, assign, cache, include, progress_for_terminal())
    meta = found.task.meta
    variant = variant or meta.variants[0]
    found.task.check(meta.protocols[0], variant)
    trial = Trial("any", task, variant, meta.protocols[0], fractions[0], replicate)
    drawn = found.task.split(found.radiographs, trial)
    write_split(out, found.radiographs, drawn)
    counts = f"{len(drawn.train)} train, {len(drawn.validation)} validation, {len(drawn.test)} test"
    typer.echo(f"{out}: {counts}; no patient on two sides")


def _task_data(
    task: str,
    data: str,
    preset: str | None,
    assign: list[str] | None,
    cache: Path | None,
    include: list[Path] | None,
    progress: Progress,
) -> tuple[RunConfig, TaskData]:
    """The task and its radiographs exactly as `run` would take them."""
    from ..config import parse_data, run_config
    from ..plan import read_task_data

    given = {"tasks": (task,), "data": parse_data(data), "preset": preset, "cache": cache, "include": include}
    config = run_config(given, assign or (), needs_grid=False)
    return config, read_task_data(config, progress)[0]
