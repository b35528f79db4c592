"""One training in several processes, each with its own device."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.multiprocessing.spawn import ProcessRaisedException

from ..foundation.errors import UserError
from ..foundation.progress import LineProgress, Progress, SilentProgress
from .best import weights_of
from .epoch import NotFiniteLossError
from .history import History
from .job import Job, SharedBatches
from .train import train


def train_in_processes(fabric: Fabric, job: Job, progress: Progress) -> History:
    """`train` in `job.settings.devices` spawned processes; `job.network` here gets the weights.

    Raises TypeError for batches that cannot be shared, and what `train` raises.
    """
    if not isinstance(job.batches, SharedBatches):
        raise TypeError("several devices need batches with a share(rank, world), as BatchLoader has")
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
            for file in Path(folder).glob("error-*"):
                kind = NotFiniteLossError if file.name.startswith("error-NotFinite") else UserError
                raise kind(file.read_text(encoding="utf-8")) from None
            raise
        result: dict[str, Any] = torch.load(Path(folder) / "result", map_location="cpu", weights_only=True)
    job.network.load_state_dict(result["weights"])
    job.network.eval()
    return History(**result["history"])


def _run(fabric: Fabric, network: nn.Module, job: Job, folder: Path, quiet: bool) -> None:
    job = replace(job, network=network)
    first = fabric.global_rank == 0
    try:
        history = train(fabric, job, SilentProgress() if quiet or not first else LineProgress())
    except UserError as error:
        (folder / f"error-{type(error).__name__}-{fabric.global_rank}").write_text(str(error), encoding="utf-8")
        raise
    if first:
        torch.save({"weights": weights_of(job.network), "history": vars(history)}, folder / "result")
