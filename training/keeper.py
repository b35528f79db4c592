"""When a training's state is written, and when the training is to end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import distributed as dist
from torch import nn

from ..foundation.errors import UserError
from ..foundation.progress import Progress
from .agreement import Agreement
from .checkpoint import read_checkpoint, write_checkpoint
from .epoch import Epoch, SoFar, state_of, steps_per_epoch
from .fabric import Fabric
from .job import Job
from .loss_watch import NotFiniteLossError
from .observer import StepReport
from .stopping import StoppedError


class Keeper:
    """Writes the resume checkpoint of a training where it is due, and stops the training where it was asked to.

    Args:
        network: what is trained; a state with weights that are not finite is never written.
        state: what a checkpoint must hold besides the position.
    """

    def __init__(
        self,
        fabric: Fabric,
        job: Job,
        progress: Progress,
        network: nn.Module,
        state: Callable[[], dict[str, Any]],
    ):
        self._fabric, self._job, self._progress = fabric, job, progress
        self._network, self._state = network, state
        self._per_epoch = steps_per_epoch(job.n_batches, job.settings.accumulate)
        self._agreement = Agreement(fabric.device)
        self._written = time.monotonic()
        self._kept_steps: int | None = None

    def read(self) -> dict[str, Any] | None:
        """The state to go on from, or None.

        Raises UserError where only some processes find one, or where it does not fit and must.
        """
        job = self._job
        if job.checkpoint is None:
            return None
        state = read_checkpoint(job.checkpoint, job.identity, self._progress, job.checkpoint_must_fit)
        found = 0 if state is None else int(state["steps_done"])
        if self._agreement.now(found != self._fabric.broadcast(found)):
            raise UserError(f"not all processes find the same {job.checkpoint}; put it on a disk that all share")
        self._kept_steps = None if state is None else found
        return state

    def after_step(self, report: StepReport, epoch: Epoch) -> None:
        """Write where it is time to, except at an epoch's end; stop where a stop was asked for.

        Raises StoppedError, NotFiniteLossError, and UserError where the checkpoint cannot be written.
        """
        job = self._job
        if job.stop is None and job.checkpoint is None:
            return
        stop, late = self._agreement.after_step((job.stop is not None and job.stop(), self._is_late()))
        done = report.step + 1
        every = job.checkpoint_every_steps
        due = job.checkpoint is not None and (late or (every is not None and done % every == 0))
        # At an epoch's end its validation is worth waiting for, but no stop waits.
        if stop or (due and done % self._per_epoch):
            self._write(report.epoch, done, epoch.settled)
        if stop:
            # Where one process ends, those that are still at work are ended.
            self._fabric.barrier()
            raise StoppedError(self._stopped(done, report.steps))

    def after_epoch(self, epoch: int) -> None:
        """Write where it is time to, after `epoch` and its validation. Raises as `after_step`."""
        if self._job.checkpoint is None:
            return
        done, every = (epoch + 1) * self._per_epoch, self._job.checkpoint_every_steps
        if self._agreement.now(self._is_late()) or (every is not None and done % every == 0):
            self._write(epoch + 1, done, SoFar)

    @contextmanager
    def naming_the_last_good_state(self) -> Iterator[None]:
        """Let the message of a loss that is not finite say what can be gone on from."""
        try:
            yield
        except NotFiniteLossError as error:
            if self._kept_steps is None:
                raise
            words = f"the last good state, after {self._kept_steps} steps, is in {self._job.checkpoint}"
            raise NotFiniteLossError(f"{error}; {words}") from None

    def _is_late(self) -> bool:
        late = time.monotonic() - self._written >= self._job.checkpoint_after
        return late and self._job.checkpoint is not None and self._fabric.global_rank == 0

    def _write(self, epoch: int, done: int, so_far: Callable[[], SoFar]) -> None:
        if self._job.checkpoint is None:
            return
        shares = self._good_shares(so_far)
        if self._fabric.global_rank == 0:
            position = {"epoch": epoch, "steps_done": done, "so_far": shares}
            write_checkpoint(self._job.checkpoint, self._job.identity, position | self._state())
        self._kept_steps = done
        self._written = time.monotonic()

    def _good_shares(self, so_far: Callable[[], SoFar]) -> list[dict[str, Any]]:
        """How far every process is. Raises NotFiniteLossError in all where a loss or the weights are not finite."""
        problem, mine = None, {}
        try:
            mine = state_of(so_far())
            self._check_weights()
        except NotFiniteLossError as error:
            problem = error
        if self._agreement.now(problem is not None):
            raise problem or NotFiniteLossError("the loss of another process is not finite; lower training.lr")
        if self._fabric.world_size == 1:
            return [mine]
        shares: list[Any] = [None] * self._fabric.world_size
        dist.all_gather_object(shares, mine)
        return shares

    def _check_weights(self) -> None:
        trained = [each.detach() for each in self._network.parameters() if each.requires_grad]
        if not bool(torch.stack([each.isfinite().all() for each in trained]).all()):
            raise NotFiniteLossError(
                "the weights are no longer finite though the loss still was; "
                "lower training.lr, or set training.clip=1, training.warmup_epochs=1 or training.precision=float32"
            )

    def _stopped(self, done: int, steps: int) -> str:
        checkpoint = self._job.checkpoint
        kept = "nothing was kept" if checkpoint is None else f"{checkpoint} is kept; start it again to go on from there"
        return f"{self._job.title}: stopped as asked after {done} of {steps} steps; {kept}"
