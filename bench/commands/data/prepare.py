"""`cxrbench data prepare`: decode a task's images ahead."""

from __future__ import annotations

import typer

from ..options import (
    AssignOption,
    CacheOption,
    DataOption,
    IncludeOption,
    PresetOption,
    SkipOption,
    TaskOption,
)
from .task_data import task_data


def prepare(
    task: TaskOption,
    data: DataOption,
    preset: PresetOption = None,
    assign: AssignOption = None,
    skip_unreadable: SkipOption = False,
    cache: CacheOption = None,
    include: IncludeOption = None,
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
