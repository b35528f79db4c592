"""Where the numbers of a training go, and which of the places are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

from ...foundation.errors import UserError

Extra = Literal["tensorboard", "wandb"]
Values = Mapping[str, float | None]
LOG = "log.csv"


class Logger(Protocol):
    """One place."""

    def log(self, step: int, values: Values) -> None:
        """Write the values of step `step` (from 0); None stands for one that was not measured."""
        ...

    def close(self) -> None:
        """Write what is left and let go."""
        ...


def refuse_absent(extras: Sequence[Extra]) -> None:
    """Raise UserError for a logger whose package is not installed."""
    for name in extras:
        if find_spec(name) is None:
            raise UserError(f"watch.loggers asks for {name}, which is not installed: pip install 'cxrbench[{name}]'")


def open_loggers(
    extras: Sequence[Extra],
    folder: Path,
    first: int,
    *,
    title: str,
    about: Mapping[str, Any],
    wandb_mode: Literal["offline", "online"],
    wandb_project: str,
    wandb_identity: str,
) -> list[Logger]:
    """The CSV file in `folder`, and the others that were asked for, ready for step `first`.

    What an earlier try wrote of that step and later ones goes; at 0, all of it.

    Args:
        extras: the others.
        folder: of the training's output.
        first: the next step that will be logged.
        title: name of the training, on Weights & Biases.
        about: settings that are shown beside the numbers there.
        wandb_mode: offline writes files that `wandb sync` sends; nothing is sent before.
        wandb_project: where they belong.
        wandb_identity: of the training there; the same when it is resumed.
    """
    from .csv_logger import CsvLogger

    loggers: list[Logger] = [CsvLogger(folder / LOG, first)]
    if "tensorboard" in extras:
        from .tensorboard_logger import TensorBoardLogger

        loggers.append(TensorBoardLogger(folder / "tensorboard", first))
    if "wandb" in extras:
        from .wandb_logger import WandbLogger

        loggers.append(WandbLogger(folder, wandb_identity, title, about, wandb_mode, wandb_project))
    return loggers
