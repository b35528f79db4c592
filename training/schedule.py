"""The learning rate over a training."""

from __future__ import annotations

import math

from torch.optim import Optimizer

from .settings import TrainingSettings

# detectron2's: of 90,000 steps, after 60,000 and 80,000.
_FALLS = (2 / 3, 8 / 9)
_FALL = 0.1


class Schedule:
    """Sets the learning rate before every optimiser step: warm-up, then constant, cosine, steps or plateau."""

    def __init__(self, optimiser: Optimizer, settings: TrainingSettings, steps_per_epoch: int):
        self._optimiser = optimiser
        self._settings = settings
        self._warmup = settings.warmup_epochs * steps_per_epoch
        self._total = settings.epochs * steps_per_epoch
        self._plateau = 1.0
        self._epochs_since_better = 0

    def before_step(self, step: int) -> float:
        """Set and return the learning rate of optimiser step `step`, counted from 0 over all epochs."""
        lr = self._settings.lr * self._factor(step)
        for group in self._optimiser.param_groups:
            group["lr"] = lr
        return lr

    def after_epoch(self, better: bool) -> None:
        """Tell whether the epoch's validation was better than all before it."""
        self._epochs_since_better = 0 if better else self._epochs_since_better + 1
        if self._settings.schedule == "plateau" and self._epochs_since_better >= self._settings.plateau_patience:
            self._plateau *= self._settings.plateau_factor
            self._epochs_since_better = 0

    def state(self) -> dict[str, float]:
        """What a resume checkpoint must hold."""
        return {"plateau": self._plateau, "epochs_since_better": self._epochs_since_better}

    def restore(self, state: dict[str, float]) -> None:
        """Go on from `state`."""
        self._plateau = state["plateau"]
        self._epochs_since_better = int(state["epochs_since_better"])

    def _factor(self, step: int) -> float:
        # The first step has a rate above 0, the last one of the warm-up the full rate.
        if step < self._warmup:
            return (step + 1) / math.ceil(self._warmup)
        if self._settings.schedule == "cosine":
            done = (step - self._warmup) / max(self._total - self._warmup, 1)
            return (1 + math.cos(math.pi * done)) / 2
        if self._settings.schedule == "steps":
            # Whole numbers: a product of a share and a number of steps may lie a hair above it.
            return _FALL ** sum(step >= round(fall * self._total) for fall in _FALLS)
        return self._plateau
