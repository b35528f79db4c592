"""One training in several processes, each with its own device: spawned here, or started by torchrun."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.multiprocessing.spawn import ProcessRaisedException

from ..foundation.errors import UserError
from ..foundation.progress import LineProgress, Progress, SilentProgress
from .best import weights_of
from .fabric import Fabric
from .history import History
from .job import Job, SharedBatches
from .loss_watch import NotFiniteLossError
from .stopping import StoppedError, stop_on
from .torchrun import is_first_process
from .train import train

# What a process may end with that is told as it was; the first that fits.
_KINDS = (NotFiniteLossError, StoppedError, UserError)


def train_in_processes(fabric: Fabric, job: Job, progress: Progress) -> History:
    """`train` in `job.settings.devices` spawned processes; `job.network` here gets the weights.

    Raises TypeError for batches that cannot be shared, and what `train` raises.
    """
    _check_batches(job)
    quiet = isinstance(progress, SilentProgress)
    # Through a file: what a process leaves in shared memory or a full pipe goes with it.
    with tempfile.TemporaryDirectory(prefix="cxrbench-") as folder:
        try:
            # Fabric looks into arguments for modules, and gives every process a copy of its own; the rest of
            # the job travels unseen, and its tensors (images in memory) stay shared.
            rest = replace(job, network=nn.Identity())
            run = partial(_run, job=rest, folder=Path(folder), quiet=quiet)
            # Fabric declares a function of itself alone, and hands on what else it is given.
            fabric.launch(cast(Callable[..., None], run), job.network)
        except ProcessRaisedException:
            for kind in _KINDS:
                for file in sorted(Path(folder).glob(f"error-{kind.__name__}-*")):
                    raise kind(file.read_text(encoding="utf-8")) from None
            raise
        result: dict[str, Any] = torch.load(Path(folder) / "result", map_location="cpu", weights_only=True)
    job.network.load_state_dict(result["weights"])
    job.network.eval()
    return History(**result["history"])


def train_among_processes(fabric: Fabric, job: Job, progress: Progress) -> History:
    """`train` in this one of the processes that torchrun started, which all call it; each gets the weights.

    Raises TypeError for batches that cannot be shared, and what `train` raises.
    """
    _check_batches(job)
    fabric.launch()
    return train(fabric, job, progress if is_first_process() else SilentProgress())


def _check_batches(job: Job) -> None:
    if not isinstance(job.batches, SharedBatches):
        raise TypeError("several devices need batches with a share(rank, world), as BatchLoader has")


def _run(fabric: Fabric, network: nn.Module, job: Job, folder: Path, quiet: bool) -> None:
    first = fabric.global_rank == 0
    progress = SilentProgress() if quiet or not first else LineProgress()
    try:
        history = _stoppable(fabric, replace(job, network=network), progress)
    except UserError as error:
        kind = next(each for each in _KINDS if isinstance(error, each))
        (folder / f"error-{kind.__name__}-{fabric.global_rank}").write_text(str(error), encoding="utf-8")
        raise
    if first:
        torch.save({"weights": weights_of(network), "history": vars(history)}, folder / "result")


def _stoppable(fabric: Fabric, job: Job, progress: Progress) -> History:
    """`train`, where SIGTERM or Ctrl-C, which a terminal sends to all processes, is a request to stop all.

    Only if `job` can be stopped at all.
    """
    if job.stop is None:
        return train(fabric, job, progress)
    with stop_on(signal.SIGTERM, signal.SIGINT) as told:
        return train(fabric, replace(job, stop=partial(_either, job.stop, told)), progress)


def _either(one: Callable[[], bool], other: Callable[[], bool]) -> bool:
    return one() or other()
