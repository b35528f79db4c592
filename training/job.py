"""What a training consists of, as one object that can be sent to another process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from torch import Tensor, nn

from .device import Precision
from .observer import Observer
from .settings import TrainingSettings

Loss = Callable[[nn.Module, Any], Tensor | Mapping[str, Tensor]]
Validate = Callable[[nn.Module], Mapping[str, float]]
AfterStep = Callable[[nn.Module, int, int], None]
ParameterGroups = Callable[[nn.Module], list[dict[str, Any]]]
WhenNotFinite = Literal["raise", "keep best"]


class Batches(Protocol):
    """The batches of an epoch (counted from 0)."""

    def __call__(self, epoch: int, /) -> Iterable[Any]: ...


@runtime_checkable
class SharedBatches(Protocol):
    """Batches that several processes can divide among themselves, as `BatchLoader` does."""

    def share(self, rank: int, world: int) -> Batches:
        """The part of every batch that process `rank` of `world` trains on."""
        ...


@dataclass(frozen=True)
class Job:
    """The arguments of `loop.fit`, with what they resolved to."""

    network: nn.Module
    loss: Loss
    batches: Batches
    n_batches: int
    settings: TrainingSettings
    seed: int
    validate: Validate | None
    monitor: str
    mode: Literal["min", "max"]
    title: str
    checkpoint: Path | None
    checkpoint_after: float
    checkpoint_every_steps: int | None
    checkpoint_must_fit: bool
    after_step: AfterStep | None
    observer: Observer | None
    stop: Callable[[], bool] | None
    precision: Precision
    identity: str
    parameter_groups: ParameterGroups | None = None
    not_finite: WhenNotFinite = "raise"
