"""A line of the log in the making."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ...training.observer import StepReport
from .collapse import Spread
from .collapse_judge import FEATURES, PROJECTIONS

# Columns of the spreads, by what they are of.
COLUMNS = {FEATURES: "feature", PROJECTIONS: "projection"}


@dataclass
class Interval:
    """What the steps since the last line took."""

    images: int = 0
    seconds: float = 0.0
    waiting: float = 0.0

    def add(self, report: StepReport) -> None:
        """Count one more step."""
        self.images += report.images
        self.seconds += report.seconds
        self.waiting += report.waiting

    @property
    def images_per_second(self) -> float | None:
        """None before the first step."""
        return self.images / self.seconds if self.seconds > 0 else None

    @property
    def waiting_share(self) -> float | None:
        """The share of the time that was spent waiting for batches; None before the first step."""
        return self.waiting / self.seconds if self.seconds > 0 else None


@dataclass
class LogRow:
    """The line of one step.

    Attributes:
        step: from 0.
        steps: how many the training has.
        written: whether it belongs into the log.
        values: column -> number; None where nothing was measured. Terms of the loss stay tensors until they are read,
            because reading one makes a GPU wait.
    """

    step: int
    steps: int
    written: bool
    values: dict[str, float | Tensor | None] = field(default_factory=dict)

    @classmethod
    def of(cls, report: StepReport, interval: Interval, written: bool) -> LogRow:
        """The line of `report`, with the speed of `interval`; spreads and probe are not measured yet."""
        values: dict[str, float | Tensor | None] = {"epoch": report.epoch + 1, "lr": report.lr, **report.terms}
        values |= {"images_per_second": interval.images_per_second, "waiting": interval.waiting_share}
        values |= dict.fromkeys(f"{what}_{number}" for what in COLUMNS.values() for number in ("sd", "rank"))
        return cls(report.step, report.steps, written, values | {"probe_auc": None})

    @property
    def last(self) -> bool:
        """Whether it is the training's last step."""
        return self.step == self.steps - 1

    def add(self, spreads: Mapping[str, Spread]) -> None:
        """Fill in what a look found."""
        for name, spread in spreads.items():
            self.values |= {f"{COLUMNS[name]}_sd": spread.sd, f"{COLUMNS[name]}_rank": spread.rank}

    def read(self) -> dict[str, float | None]:
        """All values as numbers."""
        return {name: float(value) if isinstance(value, Tensor) else value for name, value in self.values.items()}

    def state(self) -> dict[str, Any]:
        """What a resume checkpoint must hold; `LogRow(**state)` is the way back."""
        return {"step": self.step, "steps": self.steps, "written": self.written, "values": self.read()}
