"""Two processes for a test, forked so that nothing is imported again."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import distributed as dist
from torch.multiprocessing.spawn import start_processes


def in_two_processes(work: Callable[[], Any], folder: Path) -> list[Any]:
    """What `work` (a function of a module, without arguments) gives in each of two processes that find each other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # A fork must not have been at work on a GPU.
    how = "spawn" if torch.cuda.is_available() else "fork"
    start_processes(_process, (work, port, str(folder)), nprocs=2, start_method=how)
    return [torch.load(folder / f"found-{index}", weights_only=True) for index in range(2)]


def _process(index: int, work: Callable[[], Any], port: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=index, world_size=2)
    torch.save(work(), Path(folder) / f"found-{index}")
    dist.destroy_process_group()
