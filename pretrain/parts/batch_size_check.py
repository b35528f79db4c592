"""Batch normalisation and statistics over a batch need more than one image."""

from __future__ import annotations

from ...foundation.errors import UserError
from ..method import Shape


def refuse_batch_of_one(method: str, shape: Shape) -> None:
    """Raise UserError where a batch has one image only, so that it has no variance.

    Args:
        method: name to say in the error.
        shape: of the training; `batch_size` counts the images of all processes.
    """
    if shape.batch_size < 2:
        raise UserError(
            f"{method} normalises embeddings over the images of a batch, and training.batch_size is "
            f"{shape.batch_size}; set it to 2 or more"
        )
