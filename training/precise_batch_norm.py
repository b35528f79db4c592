"""Statistics of batch normalisation for the weights as they are, not as they were while they changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .device import Device, Precision, autocast
from .epoch import arranged
from .fabric import move_data_to_device
from .job import Loss
from .seeding import own_random_numbers, seed_random_numbers


def settle_batch_norm(
    network: nn.Module, loss: Loss, batches: Iterable[Any], device: Device, precision: Precision, seed: int
) -> int:
    """Give every BatchNorm of `network` the mean and variance of all that `batches` bring it, weights unchanged.

    Running statistics follow the last few batches and lag behind the weights; where batches are small, as in
    detection, that costs accuracy (Wu & Johnson 2021, arXiv:2105.07576, section 3). As in fvcore's
    `update_bn_stats`, the mean and the biased variance are those of all values together, each batch weighing as
    many values as it has.

    Args:
        network: on `device`; it is in eval mode afterwards.
        loss: called with the network in training mode and each batch, without gradients; what it gives is not used.
        batches: as `fit` takes them.
        seed: of what torch, NumPy and Python draw inside; what they draw afterwards is as it was.

    Returns how many batches were passed; 0, without passing any, where no BatchNorm collects statistics.
    """
    network.train()
    collectors = [_Collector(module) for module in network.modules() if _collects(module)]
    passed = 0
    try:
        if collectors:
            with own_random_numbers(), torch.no_grad(), autocast(device, precision):
                for batch in batches:
                    seed_random_numbers(seed, passed)
                    loss(network, arranged(move_data_to_device(batch, device)))
                    for collector in collectors:
                        collector.take()
                    passed += 1
    finally:
        for collector in collectors:
            collector.end()
        network.eval()
    return passed


class _Collector:
    """The statistics of one BatchNorm: those of the latest batch stand in its buffers, and are summed up here."""

    def __init__(self, module: nn.Module):
        assert isinstance(module, _BatchNorm)
        assert module.running_mean is not None
        assert module.running_var is not None
        self._module, self._momentum = module, module.momentum
        self._mean, self._var = module.running_mean, module.running_var
        self._kept = self._mean.clone(), self._var.clone()
        self._latest = self._values = 0
        self._sum = torch.zeros_like(self._mean, dtype=torch.float64)
        self._squares = torch.zeros_like(self._sum)
        module.momentum = 1.0
        self._hook = module.register_forward_pre_hook(self._count)

    def take(self) -> None:
        """Add what the last batch left; nothing where it did not come by."""
        if self._latest == 0:
            return
        n, mean, var = self._latest, self._mean.double(), self._var.double()
        self._sum += n * mean
        # torch keeps the unbiased variance.
        self._squares += (n - 1) * var + n * mean.square()
        self._values += n
        self._latest = 0

    def end(self) -> None:
        """Put what was collected into the module, or what was there where nothing was."""
        self._hook.remove()
        self._module.momentum = self._momentum
        mean, var = self._kept
        if self._values:
            mean = self._sum / self._values
            var = (self._squares / self._values - mean.square()).clamp(min=0)
        self._mean.copy_(mean)
        self._var.copy_(var)

    def _count(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._latest = inputs[0].numel() // inputs[0].shape[1]


def _collects(module: nn.Module) -> bool:
    return isinstance(module, _BatchNorm) and module.training and module.running_mean is not None
