"""The task of a record, configured as it was for its trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...foundation.errors import UserError
from ..record import Record

if TYPE_CHECKING:
    from ...tasks.task import Task


def task_of(record: Record) -> Task:
    """The task that made `record`, with those of its settings that this version knows: they bear on its scores."""
    from ...tasks.registry import tasks

    task = tasks.get(record.task)
    for key, value in record.settings.items():
        try:
            task = task.configured(None, {key: value}, record.task)
        except UserError:
            # A setting that is made while running (a version, a precision) is not one that can be given.
            continue
    return task
