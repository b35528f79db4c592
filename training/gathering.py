"""What the processes of one training hold of a batch, put together with the right gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist


def world_size() -> int:
    """Number of processes that train together; 1 where there is no process group."""
    return dist.get_world_size() if _together() else 1


def rank() -> int:
    """Which of them this one is, from 0."""
    return dist.get_rank() if _together() else 0


def gathered(x: Tensor) -> Tensor:
    """[b, …] of every process -> [b * world, …] in the order of ranks, with gradient; `x` itself in one process.

    The gradient of a process's `x` is the sum of the gradients that all processes' losses have for it. So where
    every process computes a loss from gathered tensors, and gradients are averaged over processes (as
    DistributedDataParallel does), the parameters get the gradient of the mean of the processes' losses: that of the
    whole batch in one process. A gather without gradient for the other processes' share gives the right loss and
    gradients that are too small.

    All processes must give the same shape, and all must go backward through it.
    """
    return _Gather.apply(x) if world_size() > 1 else x  # type: ignore[return-value]


def gathered_constant(x: Tensor) -> Tensor:
    """`gathered` without a gradient: for keys, queues and statistics."""
    return _gather(x.detach()) if world_size() > 1 else x.detach()


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.share = len(x)
        return _gather(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous()
        # Autograd may hand the same tensor to another function; the reduction works in place.
        total = total.clone() if total is gradients[0] else total
        dist.all_reduce(total)
        return total[dist.get_rank() * ctx.share :][: ctx.share]


def _gather(x: Tensor) -> Tensor:
    x = x.contiguous()
    parts = [torch.empty_like(x) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, x)
    return torch.cat(parts)


def _together() -> bool:
    return dist.is_available() and dist.is_initialized()
