"""Random numbers that all processes of a training agree on."""

from __future__ import annotations

import torch

from ...training.gathering import gathered_constant


def shared_uniform(n: int, device: torch.device) -> torch.Tensor:
    """`n` numbers in [0, 1) on `device`, from torch's global generator there: those of rank 0 in every process."""
    return gathered_constant(torch.rand(1, n, device=device))[0]
