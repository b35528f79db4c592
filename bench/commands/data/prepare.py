"""`cxrbench data prepare`: decode a task's images ahead."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..options import SkipOption
from .task_data import task_data


def prepare(
    task: Annotated[str, typer.Option(help="Task whose images are decoded: a name of `ls tasks`.")],
    data: Annotated[str, typer.Option(help="Folder of its dataset, or phantom.")],
    preset: Annotated[str | None, typer.Option(help="Settings of a paper, by name.")] = None,
    assign: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting.")] = None,
    skip_unreadable: SkipOption = False,
    cache: Annotated[Path | None, typer.Option(help="Folder for decoded images.")] = None,
    include: Annotated[list[Path] | None, typer.Option(help="Python file that registers tasks and datasets.")] = None,
) -> None:
    """Decode the images of a task into the cache ahead of a run, and find unreadable ones."""
    from ....data import prepare_images
    from ....foundation.progress import progress_for_terminal

    progress = progress_for_terminal()
    more = {"skip_unreadable": skip_unreadable or None}
    config, found = task_data(task, data, preset, assign, cache, include, progress, more)
    size, preprocessing = found.task.image_size, found.task.preprocessing
    images = prepare_images(found.radiographs, size, preprocessing, cache=config.cache, progress=progress)
    typer.echo(f"{found.radiographs.dataset}: {len(images)} images of {size} px are in {config.cache}")
