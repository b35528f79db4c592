"""What is said where a network does not fit into memory."""

from __future__ import annotations

from .plan import Group, PlannedTrial


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory ran out, of a GPU or of the machine."""
    # Torch says it of both in RuntimeErrors; the class for GPUs is not in every version.
    words = str(error)
    return isinstance(error, MemoryError) or "out of memory" in words or "can't allocate memory" in words


def what_to_lower(planned: PlannedTrial, group: Group) -> str:
    """The way out: the batch and the size that the trial has, as settings."""
    settings = group.data.task.settings_of(planned.trial)
    part = "training" if "training" in settings else "features"
    batch = settings.get(part, {}).get("batch_size")
    size = group.data.task.image_size
    return f"lower {part}.batch_size{f' ({batch})' if batch else ''} or image_size ({size})"
