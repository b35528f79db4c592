"""Batch normalisation over the batch of all processes, on the CPU as on GPUs."""

from __future__ import annotations

from itertools import chain
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.modules.batchnorm import _BatchNorm

from ..foundation.errors import UserError
from .gathering import gathered, world_size

N = TypeVar("N", bound=nn.Module)


def synchronise(network: N) -> N:
    """`network`, in place, with every BatchNorm taking its statistics over all processes while it trains.

    Parameters, buffers and their names stay. Running statistics become those of torch over the whole batch (the
    variance unbiased).

    Raises UserError for a kind of batch normalisation that is not known here.
    """
    for module in network.modules():
        if isinstance(module, _BatchNorm) and not isinstance(module, SynchronisedBatchNorm):
            # The class is exchanged and the object stays, with its weights, hooks and name.
            module.__class__ = _synchronised_class(type(module))
    return network


class SynchronisedBatchNorm(_BatchNorm):
    """torch's SyncBatchNorm on GPUs, which it knows only, and the same on the CPU.

    Every process normalises its share x of a batch by mean and variance m, v of the whole batch:
    y = weight (x - m) / sqrt(v + eps) + bias, with gradients through m and v in all processes.
    """

    # What torch's function asks its module for. Not its subclass: DistributedDataParallel refuses those on the CPU.
    process_group = None
    _check_input_dim = nn.SyncBatchNorm._check_input_dim
    _check_non_zero_input_channels = nn.SyncBatchNorm._check_non_zero_input_channels

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or world_size() == 1:
            return super().forward(input)
        if input.is_cuda:
            return nn.SyncBatchNorm.forward(cast(nn.SyncBatchNorm, self), input)
        self._check_input_dim(input)
        mean, variance = self._whole_batch(input)
        scale = torch.rsqrt(variance + self.eps)
        if self.affine:
            scale = scale * self.weight
        shift = -mean * scale if not self.affine else self.bias - mean * scale
        shape = (1, -1) + (1,) * (input.ndim - 2)
        return (input * scale.view(shape) + shift.view(shape)).to(input.dtype)

    def _whole_batch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and biased variance [C] of the batch of all processes; the running statistics follow."""
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        over = [dim for dim in range(x.ndim) if dim != 1]
        count = x.new_full((x.shape[1],), x.numel() // x.shape[1])
        variances, means = torch.var_mean(x, over, correction=0)
        counts, means, variances = gathered(torch.stack([count, means, variances])[None]).unbind(1)
        total = counts.sum(0)
        mean = (counts * means).sum(0) / total
        # Parts' variances and their means' distances, so that no large sums of squares cancel.
        variance = (counts * (variances + (means - mean).square())).sum(0) / total
        self._follow(mean.detach(), (variance * total / (total - 1)).detach())
        return mean, variance

    @torch.no_grad()
    def _follow(self, mean: Tensor, unbiased: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), share)


class RunningStatistics:
    """Running statistics that every process collects from its own share, and their mean over processes.

    Those of a `SynchronisedBatchNorm` are equal anyway and left alone.
    """

    def __init__(self, network: nn.Module):
        own = (
            module
            for module in network.modules()
            if isinstance(module, _BatchNorm) and not isinstance(module, SynchronisedBatchNorm)
        )
        buffers = chain.from_iterable((module.running_mean, module.running_var) for module in own)
        self._buffers = [buffer for buffer in buffers if buffer is not None]

    @torch.no_grad()
    def average(self) -> None:
        """Give every process the mean over all; nothing in one process."""
        if world_size() == 1 or not self._buffers:
            return
        whole = torch.cat([buffer.flatten() for buffer in self._buffers])
        dist.all_reduce(whole)
        whole /= world_size()
        parts = whole.split([buffer.numel() for buffer in self._buffers])
        for buffer, part in zip(self._buffers, parts, strict=True):
            buffer.copy_(part.view_as(buffer))


class _SynchronisedBatchNormAct(SynchronisedBatchNorm):
    """timm's BatchNormAct2d: an activation follows."""

    drop: nn.Module
    act: nn.Module

    def forward(self, input: Tensor) -> Tensor:
        return self.act(self.drop(super().forward(input)))


def _synchronised_class(kind: type[_BatchNorm]) -> type[SynchronisedBatchNorm]:
    if kind in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm):
        return SynchronisedBatchNorm
    if kind.__module__.startswith("timm.") and kind.__name__ == "BatchNormAct2d":
        return _SynchronisedBatchNormAct
    raise UserError(
        f"{kind.__module__}.{kind.__name__} cannot normalise over several processes; "
        "choose an architecture with plain batch normalisation, or train in one process"
    )
