"""What makes a training repeat itself: all random numbers from a seed, none left changed behind it."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from ..foundation.errors import UserError


@contextmanager
def own_random_numbers() -> Iterator[None]:
    """Put the global random numbers of torch, NumPy and Python back as they were when the block ends."""
    python, arrays = random.getstate(), np.random.get_state()
    # Only the GPU that is in use: asking for the others' states would claim memory on them.
    gpus = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=gpus):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(arrays)


@contextmanager
def deterministic_algorithms(wanted: bool) -> Iterator[None]:
    """Inside the block, where `wanted`, torch takes only algorithms that give the same bits again.

    Raises UserError where the network needs one that has no such version.
    """
    if not wanted:
        yield
        return
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    # cuBLAS reads this when it starts; without it torch refuses its products.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        reason = str(error).split(",")[0].split(". ")[0]
        raise UserError(f"training.deterministic = true, but {reason}; set training.deterministic to false") from error
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]


def seed_random_numbers(*words: int) -> None:
    """Seed torch, NumPy and Python from `words`: what is drawn then depends on nothing that was drawn before."""
    seeds = np.random.SeedSequence(words).generate_state(3)
    torch.manual_seed(int(seeds[0]))
    np.random.seed(int(seeds[1]))
    random.seed(int(seeds[2]))
