"""The log for TensorBoard (extra `tensorboard`)."""

from __future__ import annotations

from pathlib import Path

from .logger import Values


class TensorBoardLogger:
    """Scalars in `folder`, for `tensorboard --logdir`.

    Args:
        folder: of the event files.
        first: the next step that will come; TensorBoard hides what a killed try wrote of it and of later ones.
    """

    def __init__(self, folder: Path, first: int):
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=first)

    def log(self, step: int, values: Values) -> None:
        """Write one scalar a value; those that were not measured are left out."""
        for name, value in values.items():
            if value is not None:
                self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        """Let go of the files."""
        self._writer.close()
