"""One pass over the training part."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricModule, _FabricOptimizer
from torch import Tensor

from ..foundation.errors import UserError
from ..foundation.progress import Progress
from .device import images_channels_last
from .job import Job
from .schedule import Schedule


class NotFiniteLossError(UserError):
    """The loss became NaN or infinite."""


def train_epoch(
    fabric: Fabric,
    module: _FabricModule,
    optimiser: _FabricOptimizer,
    schedule: Schedule,
    job: Job,
    batches: Iterable[Any],
    epoch: int,
    progress: Progress,
) -> dict[str, float]:
    """Train on `batches` and return the epoch's row: epoch (from 1), lr, loss, seconds, images_per_second.

    Raises NotFiniteLossError, and ValueError where there are not exactly `job.n_batches` batches.
    """
    settings, n_batches = job.settings, job.n_batches
    step = epoch * steps_per_epoch(job)
    watch = _LossWatch(epoch, settings.lr)
    images, seen, start = 0, 0, time.perf_counter()
    module.train()
    with progress.step(f"epoch {epoch + 1}/{settings.epochs}", n_batches) as bar:
        for batch in batches:
            seen += 1
            batch = _arranged(fabric.to_device(batch))
            group_ends = seen % settings.accumulate == 0 or seen == n_batches
            with fabric.no_backward_sync(module, enabled=not group_ends):
                loss = job.loss(module, batch)
                fabric.backward(loss / _group_size(seen, n_batches, settings.accumulate))
            watch.add(loss)
            if group_ends:
                if settings.clip > 0:
                    fabric.clip_gradients(module, optimiser, max_norm=settings.clip, error_if_nonfinite=False)
                watch.lr = schedule.before_step(step)
                optimiser.step()
                optimiser.zero_grad()
                step += 1
            images += _count(batch)
            bar.advance(note=f"loss {watch.latest:.4f}")
    if seen != n_batches:
        raise ValueError(f"epoch {epoch + 1} gave {seen} batches, {n_batches} were announced")
    loss_sum = watch.finish()
    seconds = time.perf_counter() - start
    mean = fabric.all_reduce(torch.tensor(loss_sum / seen, device=fabric.device), reduce_op="mean")
    return {
        "epoch": epoch + 1,
        "lr": watch.lr,
        "loss": float(mean),  # type: ignore[arg-type]
        "seconds": seconds,
        "images_per_second": images * fabric.world_size / seconds,
    }


def steps_per_epoch(job: Job) -> int:
    """Optimiser steps in an epoch; a last group of fewer batches is a step of its own."""
    return math.ceil(job.n_batches / job.settings.accumulate)


class _LossWatch:
    """Reads every loss one step late, so that a GPU never waits for it."""

    def __init__(self, epoch: int, lr: float):
        self.lr = lr
        self.latest = math.nan
        self._epoch = epoch
        self._read = 0
        self._sum = 0.0
        self._unread: tuple[Tensor, float] | None = None

    def add(self, loss: Tensor) -> None:
        before, self._unread = self._unread, (loss.detach(), self.lr)
        if before is not None:
            self._look(*before)

    def finish(self) -> float:
        """The sum of all losses."""
        if self._unread is not None:
            self._look(*self._unread)
        return self._sum

    def _look(self, loss: Tensor, lr: float) -> None:
        self._read += 1
        self.latest = float(loss)
        if not math.isfinite(self.latest):
            raise NotFiniteLossError(
                f"the loss is {self.latest} in epoch {self._epoch + 1}, step {self._read}, at learning rate {lr:.3g}; "
                "lower training.lr, or set training.clip=1, training.warmup_epochs=1 or training.precision=float32"
            )
        self._sum += self.latest


def _group_size(seen: int, n_batches: int, accumulate: int) -> int:
    """How many batches share the step that batch number `seen` (from 1) belongs to."""
    first = (seen - 1) // accumulate * accumulate
    return min(accumulate, n_batches - first)


def _arranged(batch: Any) -> Any:
    """`batch` with its images laid out channels last."""
    if isinstance(batch, Tensor):
        return images_channels_last(batch)
    if isinstance(batch, dict):
        return {key: _arranged(value) for key, value in batch.items()}
    if isinstance(batch, tuple) and not hasattr(batch, "_fields"):
        return tuple(_arranged(value) for value in batch)
    if isinstance(batch, list):
        return [_arranged(value) for value in batch]
    return batch


def _count(batch: Any) -> int:
    """Images in a batch: the length of its first tensor or list."""
    while isinstance(batch, tuple | dict):
        batch = next(iter(batch.values() if isinstance(batch, dict) else batch))
    return len(batch)
