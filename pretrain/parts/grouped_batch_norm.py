"""Batch normalisation in groups of images: what several small GPUs do, on any number of processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ...foundation.errors import UserError

if TYPE_CHECKING:
    _Base = _BatchNorm
else:
    _Base = object

N = TypeVar("N", bound=nn.Module)


class _Grouped(_Base):
    """Normalises every `group_size` consecutive images of a batch by themselves while training.

    Running statistics move once a batch, by the mean of the groups' statistics. Names of weights stay.
    """

    group_size: int

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or len(input) <= self.group_size:
            return super().forward(input)
        groups = input.split(self.group_size)
        if not self.track_running_stats or self.running_mean is None or self.running_var is None:
            return torch.cat([super(_Grouped, self).forward(group) for group in groups])
        return self._tracked(groups, self.running_mean, self.running_var, self.num_batches_tracked)

    def _tracked(self, groups: tuple[Tensor, ...], mean: Tensor, var: Tensor, counted: Tensor | None) -> Tensor:
        momentum, done = self.momentum, []
        # A group's own statistics, in buffers of its own: the backward pass minds that nobody changes them.
        means, variances = (mean.new_zeros(len(groups), len(mean)).unbind() for _ in range(2))
        try:
            self.momentum, self.num_batches_tracked = 1.0, None
            for group, self.running_mean, self.running_var in zip(groups, means, variances, strict=True):
                done.append(super().forward(group))
        finally:
            self.momentum, self.running_mean, self.running_var = momentum, mean, var
            self.num_batches_tracked = counted
        with torch.no_grad():
            if counted is not None:
                counted += 1
            # Without a momentum torch keeps the mean over all batches.
            share = momentum if momentum is not None else 1 / float(counted if counted is not None else 1)
            mean.lerp_(torch.stack(means).mean(0), share)
            var.lerp_(torch.stack(variances).mean(0), share)
        return torch.cat(done)


class GroupedBatchNorm1d(_Grouped, nn.BatchNorm1d):
    """`nn.BatchNorm1d` in groups of images."""


class GroupedBatchNorm2d(_Grouped, nn.BatchNorm2d):
    """`nn.BatchNorm2d` in groups of images."""


def normalise_in_groups(network: N, size: int) -> N:
    """Make every batch normalisation of `network` normalise `size` consecutive images together, in place.

    Raises:
        UserError: a kind of batch normalisation that is not known here.
    """
    for module in network.modules():
        if isinstance(module, _BatchNorm) and not isinstance(module, _Grouped):
            # The class is exchanged and the object stays, with its weights, hooks and name.
            module.__class__ = _grouped_class(type(module))
        if isinstance(module, _Grouped):
            module.group_size = size
    return network


def group_size_of(wanted: int, batch_size: int, processes: int) -> int:
    """Images of a group: `wanted`, or the share of one process where that is smaller.

    Raises:
        UserError: a share that is no multiple of the group, or of one image.
    """
    share = batch_size // processes
    size = min(wanted, share)
    if size < 2:
        raise UserError(
            f"batch normalisation needs at least 2 images at once, and here it gets {size} (training.batch_size = "
            f"{batch_size}, {processes} processes, method.group_size = {wanted}); take a larger batch"
        )
    if share % size:
        fits = max(each for each in range(1, size + 1) if share % each == 0)
        advice = f"method.group_size={fits}" if fits > 1 else f"training.batch_size={share // size * size * processes}"
        raise UserError(
            f"method.group_size = {wanted} does not divide the {share} images of a process (training.batch_size = "
            f"{batch_size}, {processes} processes): set {advice}"
        )
    return size


def _grouped_class(kind: type[_BatchNorm]) -> type[_BatchNorm]:
    known: dict[Any, type[_BatchNorm]] = {
        nn.BatchNorm1d: GroupedBatchNorm1d,
        nn.BatchNorm2d: GroupedBatchNorm2d,
    }
    if kind.__module__.startswith("timm."):
        from .grouped_batch_norm_act import BatchNormAct2d, GroupedBatchNormAct2d

        known[BatchNormAct2d] = GroupedBatchNormAct2d
    if kind not in known:
        raise UserError(
            f"{kind.__module__}.{kind.__name__} cannot normalise groups of images, which this method needs; "
            "choose an architecture with plain batch normalisation"
        )
    return known[kind]
