"""The metric that a task is ranked by, and its direction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...foundation.errors import UserError


@dataclass(frozen=True)
class MainMetric:
    """What a column of the leaderboard shows.

    Attributes:
        name: key in `Record.metrics`.
        higher_is_better: its direction.
        title: the task in one line.
    """

    name: str
    higher_is_better: bool
    title: str = ""


# The metric of a task by the task's name. Raises UserError, whose message is shown, where there is none.
MetricOf = Callable[[str], MainMetric]


def registered_main_metric(task: str) -> MainMetric:
    """The main metric of a registered task. Raises UserError where the task is unknown or cannot be imported."""
    from ...tasks.registry import tasks

    try:
        meta = tasks.get(task).meta
    except UserError:
        raise UserError(f"task {task} is not registered here; name its file with --include FILE") from None
    except Exception as error:
        # A plug-in that does not import must not hide what all other tasks say.
        raise UserError(f"task {task} cannot be imported: {type(error).__name__}: {error}") from error
    if meta.main_metric not in meta.metrics:
        raise UserError(f"task {task} does not say whether higher or lower {meta.main_metric} is better")
    return MainMetric(meta.main_metric, meta.metrics[meta.main_metric], meta.title)
