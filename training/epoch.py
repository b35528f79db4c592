"""One pass over the training part, which may begin in its middle."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..foundation.progress import Progress
from .device import images_channels_last
from .fabric import Fabric, _FabricModule, _FabricOptimizer
from .job import Job
from .loss_watch import LossWatch
from .observer import StepReport
from .schedule import Schedule
from .seeding import seed_random_numbers

# Columns of the history that no term of a loss may take.
_TAKEN = ("epoch", "lr", "seconds", "images_per_second")


@dataclass
class SoFar:
    """How far an epoch is, in this process.

    Attributes:
        batches: batches that were trained on.
        images: images in them, of this process.
        seconds: what they took.
        lr: the learning rate of the last step.
        sums: term of the loss -> its sum over them.
    """

    batches: int = 0
    images: int = 0
    seconds: float = 0.0
    lr: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)


class Epoch:
    """Trains on the batches of one epoch.

    Args:
        number: from 0.
        so_far: what was done of it before an interruption.
        after_step: called after every optimiser step; gives a note for the progress line.
    """

    def __init__(
        self,
        fabric: Fabric,
        module: _FabricModule,
        optimiser: _FabricOptimizer,
        schedule: Schedule,
        job: Job,
        number: int,
        so_far: SoFar,
        after_step: Callable[[StepReport], str],
    ):
        self._fabric, self._module, self._optimiser, self._schedule = fabric, module, optimiser, schedule
        self._job, self._number, self._after_step = job, number, after_step
        self._done = so_far
        self._watch = LossWatch(number, so_far.lr or job.settings.lr, so_far.batches, so_far.sums)
        self._start = time.perf_counter() - so_far.seconds

    def run(self, batches: Iterable[Any], progress: Progress) -> dict[str, float]:
        """Train on `batches`, which are what is left, and return the epoch's row.

        The row: epoch (from 1), lr, loss and its terms (means over batches and processes), seconds,
        images_per_second.

        Raises NotFiniteLossError, and ValueError where there are not exactly `n_batches` batches.
        """
        settings, n_batches = self._job.settings, self._job.n_batches
        self._module.train()
        step = _Step(time.perf_counter())
        with progress.step(f"epoch {self._number + 1}/{settings.epochs}", n_batches) as bar:
            bar.advance(self._done.batches)
            for waited, batch in _timed(batches):
                step.waiting += waited
                step.batches.append(self._forward_and_backward(batch, step))
                note = ""
                if self._done.batches % settings.accumulate == 0 or self._done.batches == n_batches:
                    note = self._make_step(step)
                    step = _Step(step.end)
                bar.advance(note=", ".join(filter(None, (self._watch.words, note))))
        if self._done.batches != n_batches:
            raise ValueError(f"epoch {self._number + 1} gave {self._done.batches} batches, {n_batches} were announced")
        return self._row()

    def settled(self) -> SoFar:
        """How far it is, with every loss read. Raises NotFiniteLossError."""
        self._watch.settle()
        self._done.sums, self._done.lr = dict(self._watch.sums), self._watch.lr
        self._done.seconds = time.perf_counter() - self._start
        return self._done

    def _forward_and_backward(self, batch: Any, step: _Step) -> Mapping[str, Tensor]:
        job, fabric, done = self._job, self._fabric, self._done
        # Every batch has random numbers of its own, so that a resumed epoch draws what the first try drew.
        seed_random_numbers(job.seed, self._number, done.batches, fabric.global_rank)
        batch = arranged(fabric.to_device(batch))
        done.batches += 1
        group = _group_size(done.batches, job.n_batches, job.settings.accumulate)
        group_ends = done.batches % job.settings.accumulate == 0 or done.batches == job.n_batches
        with fabric.no_backward_sync(self._module, enabled=not group_ends):
            terms = _terms(job.loss(self._module, batch))
            fabric.backward(terms["loss"] / group if group > 1 else terms["loss"])
        self._watch.add(terms)
        images = _count(batch)
        done.images += images
        step.images += images
        return {name: term.detach() for name, term in terms.items()}

    def _make_step(self, step: _Step) -> str:
        settings, n_batches = self._job.settings, self._job.n_batches
        per_epoch = steps_per_epoch(n_batches, settings.accumulate)
        number = self._number * per_epoch + math.ceil(self._done.batches / settings.accumulate) - 1
        if settings.clip > 0:
            self._fabric.clip_gradients(self._module, self._optimiser, max_norm=settings.clip, error_if_nonfinite=False)
        self._watch.lr = self._schedule.before_step(number)
        self._optimiser.step()
        self._optimiser.zero_grad()
        step.end = time.perf_counter()
        return self._after_step(
            StepReport(
                step=number,
                steps=settings.epochs * per_epoch,
                epoch=self._number,
                lr=self._watch.lr,
                terms=_means(step.batches),
                images=step.images * self._fabric.world_size,
                seconds=step.end - step.start,
                waiting=step.waiting,
            )
        )

    def _row(self) -> dict[str, float]:
        done = self.settled()
        means = torch.tensor([total / done.batches for total in done.sums.values()], dtype=torch.float64)
        means = self._fabric.all_reduce(means.to(self._fabric.device), reduce_op="mean").tolist()  # type: ignore[union-attr]
        row = {"epoch": self._number + 1, "lr": self._watch.lr, **dict(zip(done.sums, means, strict=True))}
        seconds = time.perf_counter() - self._start
        return row | {"seconds": seconds, "images_per_second": done.images * self._fabric.world_size / seconds}


def steps_per_epoch(n_batches: int, accumulate: int) -> int:
    """Optimiser steps in an epoch; a last group of fewer batches is a step of its own."""
    return math.ceil(n_batches / accumulate)


def state_of(so_far: SoFar) -> dict[str, Any]:
    """`so_far` as a resume checkpoint holds it; `SoFar(**state)` is the way back."""
    return asdict(so_far)


def arranged(batch: Any) -> Any:
    """`batch` with its images laid out channels last, in tuples, lists and dicts too."""
    if isinstance(batch, Tensor):
        return images_channels_last(batch)
    if isinstance(batch, dict):
        return {key: arranged(value) for key, value in batch.items()}
    if isinstance(batch, tuple) and not hasattr(batch, "_fields"):
        return tuple(arranged(value) for value in batch)
    if isinstance(batch, list):
        return [arranged(value) for value in batch]
    return batch


@dataclass
class _Step:
    """An optimiser step in the making."""

    start: float
    end: float = 0.0
    waiting: float = 0.0
    images: int = 0
    batches: list[Mapping[str, Tensor]] = field(default_factory=list)


def _timed(batches: Iterable[Any]) -> Iterator[tuple[float, Any]]:
    """Every batch with the seconds that it was waited for."""
    coming = iter(batches)
    while True:
        start = time.perf_counter()
        try:
            batch = next(coming)
        except StopIteration:
            return
        yield time.perf_counter() - start, batch


def _terms(loss: Tensor | Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    if isinstance(loss, Tensor):
        return {"loss": loss}
    for name in _TAKEN:
        if name in loss:
            raise ValueError(f"a term of the loss is called {name}, which is a column of the history already")
    return loss


def _means(batches: list[Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
    if len(batches) == 1:
        return batches[0]
    return {name: torch.stack([terms[name] for terms in batches]).mean(0) for name in batches[0]}


def _group_size(seen: int, n_batches: int, accumulate: int) -> int:
    """How many batches share the step that batch number `seen` (from 1) belongs to."""
    first = (seen - 1) // accumulate * accumulate
    return min(accumulate, n_batches - first)


def _count(batch: Any) -> int:
    """Images in a batch: the length of its first tensor or list."""
    while isinstance(batch, tuple | dict):
        batch = next(iter(batch.values() if isinstance(batch, dict) else batch))
    return len(batch)
