"""Processes that `torchrun` started, on one machine or several, and that train together."""

from __future__ import annotations

import os

from torch import distributed as dist

from ..foundation.errors import UserError


def started_by_torchrun() -> bool:
    """True where this process is one of those that torchrun (torchelastic) started."""
    return dist.is_available() and dist.is_torchelastic_launched()


def process_count(devices: int) -> int:
    """How many processes a training with `training.devices` = `devices` has, on all machines together."""
    return int(os.environ["WORLD_SIZE"]) if started_by_torchrun() else devices


def is_first_process() -> bool:
    """True in the process that writes and speaks; known before the processes have found each other."""
    return not started_by_torchrun() or int(os.environ["RANK"]) == 0


def devices_and_machines(devices: int) -> tuple[int, int]:
    """Processes on each machine, and machines, as torchrun was told.

    Raises UserError where `training.devices` says otherwise, or where machines have unequal numbers of processes.
    """
    here, everywhere = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
    if devices not in (1, here):
        raise UserError(
            f"training.devices = {devices}, but torchrun started {here} processes on this machine; "
            f"leave training.devices away, or call torchrun with --nproc-per-node {devices}"
        )
    if everywhere % here:
        raise UserError(f"torchrun started {here} of {everywhere} processes here; give every machine equally many")
    return here, everywhere // here
