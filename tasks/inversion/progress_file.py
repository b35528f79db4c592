"""What is kept of a long inversion, so that a killed one goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...foundation.progress import Progress
from ...training.checkpoint import read_checkpoint, write_checkpoint
from ..perceptual.calibration import Calibration
from .search import Found, State

# Between two writes; trials that last no longer leave nothing behind.
SECONDS = 600.0


@dataclass
class ProgressFile:
    """The finished batches of an inversion, and the state of the one that is under way.

    The calibration is kept too: on a GPU a second one might differ in its last digits.

    Attributes:
        path: of the file; None keeps nothing.
        identity: a file with another one is ignored.
    """

    path: Path | None
    identity: str
    calibration: Calibration | None = None
    finished: list[Found] = field(default_factory=list)
    under_way: State | None = None
    _written: float = field(default_factory=time.monotonic)

    def read(self, progress: Progress) -> None:
        """Take what the file holds, where there is one of this trial."""
        state = None if self.path is None else read_checkpoint(self.path, self.identity, progress)
        if state is None:
            return
        self.calibration = Calibration(**state["calibration"]) if state["calibration"] else None
        self.finished = [_unpacked(each) for each in state["finished"]]
        self.under_way = state["under_way"]

    def after_step(self, state: Callable[[], State]) -> None:
        """Write where it is time; `state` gives that of the batch that is under way."""
        if self.path is None or time.monotonic() - self._written < SECONDS:
            return
        calibration = None if self.calibration is None else dict(vars(self.calibration))
        finished = [_packed(each) for each in self.finished]
        whole: dict[str, Any] = {"calibration": calibration, "finished": finished, "under_way": state()}
        write_checkpoint(self.path, self.identity, whole)
        self._written = time.monotonic()

    def finish(self, found: Found) -> None:
        """A batch is done."""
        self.finished.append(found)
        self.under_way = None


def _packed(found: Found) -> dict[str, Any]:
    losses, failed_at = torch.from_numpy(found.losses), torch.from_numpy(found.failed_at)
    return {"latents": found.latents, "losses": losses, "failed_at": failed_at}


def _unpacked(state: dict[str, Any]) -> Found:
    losses: np.ndarray = state["losses"].numpy()
    return Found(state["latents"], losses, state["failed_at"].numpy())
