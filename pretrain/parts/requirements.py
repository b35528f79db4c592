"""What a method needs of its batches and of its encoder, refused in one line where it is not there."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ...foundation.errors import UserError
from ..encoder import Encoder
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


def require_stages(encoder: Encoder, why: str) -> None:
    """Raise UserError where the encoder has no feature maps; `why` says what needs which of them."""
    if not encoder.has_stages:
        raise UserError(
            f"{why}, which {encoder.meta.arch} has not; take a ResNet or another convolutional architecture"
        )


def required_view(batch: Mapping[str, Tensor], name: str, preset: str) -> Tensor:
    """View `name` of a batch. Raises UserError that names the preset of augmentations which makes it."""
    if name not in batch:
        raise UserError(
            f"this method needs the view {name!r}, which the chosen augmentations do not make; "
            f"set views.preset={preset}"
        )
    return batch[name]
