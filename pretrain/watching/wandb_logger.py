"""The log for Weights & Biases (extra `wandb`)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from .logger import Values


class WandbLogger:
    """A run of Weights & Biases; offline it is files below `folder` that `wandb sync` sends, and nothing else.

    Args:
        folder: `wandb/` is written inside.
        identity: of the run; one that was begun before is gone on with.
        title: name of the run.
        about: its settings.
        mode: `online` sends while it trains; whatever the environment says.
        project: where the run belongs.
    """

    def __init__(
        self,
        folder: Path,
        identity: str,
        title: str,
        about: Mapping[str, Any],
        mode: Literal["offline", "online"],
        project: str,
    ):
        # By name, because type checkers miss an extra that is not installed.
        wandb = import_module("wandb")
        settings = wandb.Settings(
            console="off",
            silent=True,
            disable_code=True,
            disable_git=True,
            save_code=False,
            x_disable_stats=True,
            x_disable_meta=True,
        )
        self._run = wandb.init(
            project=project,
            name=title,
            id=identity,
            resume="allow",
            dir=str(folder),
            mode=mode,
            config=dict(about),
            settings=settings,
        )

    def log(self, step: int, values: Values) -> None:
        """Write the values that were measured."""
        self._run.log({name: value for name, value in values.items() if value is not None}, step=step)

    def close(self) -> None:
        """End the run."""
        self._run.finish()
