"""The task and the radiographs that a command of `data` is about, exactly as `run` would take them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ....foundation.progress import Progress
    from ...config import RunConfig
    from ...plan import TaskData


def task_data(
    task: str,
    data: str | None,
    preset: str | None,
    assign: list[str] | None,
    cache: Path | None,
    include: list[Path] | None,
    progress: Progress,
    more: Mapping[str, Any] | None = None,
) -> tuple[RunConfig, TaskData]:
    """The task and its radiographs exactly as `run` would take them; `more` are options of `run` by name."""
    from ...config import parse_data, run_config
    from ...plan import read_task_data

    given = {"tasks": (task,), "data": parse_data(data), "preset": preset, "cache": cache, "include": include}
    given.update(more or {})
    config = run_config(given, assign or (), needs_grid=False)
    return config, read_task_data(config, progress)[0]
