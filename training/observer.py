"""What looks on while a network trains: loggers, a collapse watch, an online probe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn


@dataclass(frozen=True)
class StepReport:
    """One optimiser step that was just made.

    Attributes:
        step: which one, from 0 over all epochs.
        steps: how many the training has.
        epoch: the epoch it belongs to, from 0.
        lr: the learning rate it was made with.
        terms: the loss and its named terms: scalars of this process on its device, detached; the mean over the
            batches whose gradients were accumulated. Reading one makes a GPU wait.
        images: images of the step, over all processes.
        seconds: since the step before ended.
        waiting: the part of them spent waiting for a batch.
    """

    step: int
    steps: int
    epoch: int
    lr: float
    terms: Mapping[str, Tensor]
    images: int
    seconds: float
    waiting: float


class Observer(Protocol):
    """Called in every process; `training.gathering.rank` says in which."""

    def after_step(self, network: nn.Module, report: StepReport) -> str:
        """Look at the network (not wrapped, in training mode) after a step.

        Returns:
            A note for the progress line; empty for none.
        """
        ...

    def after_epoch(self, network: nn.Module, row: dict[str, float]) -> None:
        """Look at the network after an epoch; `row` is the epoch's row of the history, to which values may be added."""
        ...

    def state(self) -> dict[str, Any]:
        """What a resumed training needs: tensors, numbers, words, lists and dicts of them. That of rank 0 is kept."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        ...
