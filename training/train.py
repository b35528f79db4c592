"""The epochs of one training inside one process."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, cast

import torch

from ..foundation.progress import Progress
from .batch_norm import RunningStatistics
from .best import Best
from .device import channels_last, quiet_fabric
from .epoch import Epoch, SoFar, steps_per_epoch
from .fabric import Fabric, _FabricOptimizer
from .history import History
from .job import Batches, Job, SharedBatches
from .keeper import Keeper
from .loss_watch import NotFiniteLossError
from .observer import StepReport
from .optimiser import build_optimiser
from .schedule import Schedule
from .seeding import deterministic_algorithms, own_random_numbers, seed_random_numbers


def train(fabric: Fabric, job: Job, progress: Progress) -> History:
    """Train `job.network` in place; see `loop.fit`."""
    with quiet_fabric(), own_random_numbers(), deterministic_algorithms(job.settings.deterministic):
        return _Training(fabric, job, progress).run()


class _Training:
    def __init__(self, fabric: Fabric, job: Job, progress: Progress):
        self._fabric, self._job, self._progress = fabric, job, progress
        self._network = channels_last(job.network)
        self._module = fabric.setup_module(self._network)
        optimiser = build_optimiser(self._network, job.settings, job.parameter_groups)
        per_epoch = steps_per_epoch(job.n_batches, job.settings.accumulate)
        self._schedule = Schedule(optimiser, job.settings, per_epoch)
        self._optimiser = cast(_FabricOptimizer, fabric.setup_optimizers(optimiser))
        self._statistics = RunningStatistics(self._network)
        self._best = Best(job.mode if job.validate else "min")
        self._history = History()
        self._keeper = Keeper(fabric, job, progress, self._network, self._state)

    def run(self) -> History:
        job, settings = self._job, self._job.settings
        first_epoch, so_far = self._resume()
        batches = _Remaining(self._own_batches())
        with self._keeper.naming_the_last_good_state(), self._progress.step(job.title, settings.epochs) as bar:
            bar.advance(first_epoch)
            for epoch in range(first_epoch, settings.epochs):
                seed_random_numbers(job.seed, epoch, self._fabric.global_rank)
                try:
                    self._run_epoch(batches(epoch, so_far.batches), epoch, so_far)
                    so_far = SoFar()
                    bar.advance(note=self._note())
                    if self._out_of_patience():
                        break
                    self._keeper.after_epoch(epoch)
                except NotFiniteLossError as error:
                    if not self._best_is_enough():
                        raise
                    self._history.not_finite = self._history.stopped = str(error)
                    break
        self._finish()
        return self._history

    def _own_batches(self) -> Batches:
        batches, fabric = self._job.batches, self._fabric
        if fabric.world_size > 1 and isinstance(batches, SharedBatches):
            return batches.share(fabric.global_rank, fabric.world_size)
        return batches

    def _run_epoch(self, batches: Iterable[Any], number: int, so_far: SoFar) -> None:
        job = self._job

        def after_step(report: StepReport) -> str:
            if job.after_step is not None:
                job.after_step(self._network, report.step, report.steps)
            self._statistics.average()
            note = "" if job.observer is None else job.observer.after_step(self._network, report)
            self._keeper.after_step(report, epoch)
            return note

        epoch = Epoch(self._fabric, self._module, self._optimiser, self._schedule, job, number, so_far, after_step)
        row = epoch.run(batches, self._progress)
        metrics = self._validated()
        row |= {f"validation_{name}": value for name, value in metrics.items()}
        if job.observer is not None:
            job.observer.after_epoch(self._network, row)
        self._history.rows.append(row)
        monitored = metrics[job.monitor] if metrics else row["loss"]
        # Without validation only the plateau schedule asks what was better; the last weights are kept.
        better = self._best.offer(number + 1, monitored, self._network if metrics else None)
        self._schedule.after_epoch(better)

    def _validated(self) -> dict[str, float]:
        if self._job.validate is None:
            return {}
        self._module.eval()
        with torch.no_grad():
            metrics = {name: float(value) for name, value in self._job.validate(self._module).items()}
        # All processes must go on with the same numbers, or one stops while the others wait for it.
        metrics = self._fabric.broadcast(metrics)
        if self._job.monitor not in metrics:
            given = ", ".join(metrics) or "nothing"
            raise ValueError(f"validation gave {given}, not the monitored {self._job.monitor}")
        return metrics

    def _out_of_patience(self) -> bool:
        patience = self._job.settings.patience
        epochs = len(self._history.rows)
        if self._job.validate is None or patience == 0 or epochs - self._best.epoch < patience:
            return False
        self._history.stopped = f"{self._job.monitor} was not better for {patience} epochs"
        return True

    def _best_is_enough(self) -> bool:
        # Of several processes only one may have met it, and the others would wait for it.
        alone = self._fabric.world_size == 1
        return self._job.not_finite == "keep best" and alone and bool(self._best.weights)

    def _finish(self) -> None:
        history, job = self._history, self._job
        history.stopped = history.stopped or f"all {job.settings.epochs} epochs done"
        if self._best.weights:
            self._network.load_state_dict(self._best.weights)
            history.best_epoch = self._best.epoch
        else:
            history.best_epoch = len(history.rows)
            why = "there is no validation" if job.validate is None else f"{job.monitor} was never a number"
            history.stopped += f"; {why}, so the last epoch's weights were kept"
        self._network.eval()

    def _note(self) -> str:
        row, monitored = self._history.rows[-1], f"validation_{self._job.monitor}"
        validation = f", {self._job.monitor} {row[monitored]:.4f}" if monitored in row else ""
        return f"loss {row['loss']:.4f}{validation}"

    def _state(self) -> dict[str, Any]:
        return {
            "network": self._network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state(),
            "best": self._best.state(),
            "rows": self._history.rows,
            "observer": None if self._job.observer is None else self._job.observer.state(),
        }

    def _resume(self) -> tuple[int, SoFar]:
        """Go on from the checkpoint where there is one: the epoch to train in, and how far it is."""
        state = self._keeper.read()
        if state is None:
            return 0, SoFar()
        self._network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._schedule.restore(state["schedule"])
        self._best.restore(state["best"])
        self._history.rows = state["rows"]
        if self._job.observer is not None:
            self._job.observer.restore(state["observer"])
        return state["epoch"], SoFar(**state["so_far"][self._fabric.global_rank])


class _Remaining:
    """The batches of an epoch from one on; those before it are not prepared where `batches` can leave them out."""

    def __init__(self, batches: Batches):
        self._batches = batches
        self._skips = "first" in inspect.signature(batches).parameters

    def __call__(self, epoch: int, first: int) -> Iterable[Any]:
        if first == 0:
            return self._batches(epoch)
        if self._skips:
            return cast(Callable[..., Iterable[Any]], self._batches)(epoch, first=first)
        return islice(self._batches(epoch), first, None)
