"""The optimisers that settings can name."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import Optimizer

from .settings import TrainingSettings


def build_optimiser(network: nn.Module, settings: TrainingSettings) -> Optimizer:
    """The optimiser of all parameters of `network` that require a gradient. Raises ValueError for none."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not parameters:
        raise ValueError("no parameter of the network requires a gradient: nothing to train")
    lr, decay = settings.lr, settings.weight_decay
    if settings.optimiser == "lars":
        return _lars(parameters, settings)
    if settings.optimiser == "sgd":
        return torch.optim.SGD(parameters, lr, momentum=settings.momentum, weight_decay=decay, fused=True)
    kind = torch.optim.AdamW if settings.optimiser == "adamw" else torch.optim.Adam
    return kind(parameters, lr, weight_decay=decay, fused=True)


def _lars(parameters: list[nn.Parameter], settings: TrainingSettings) -> Optimizer:
    from lightly.utils.lars import LARS

    # Biases and normalisations are left out of decay and, by lightly, of adaptation where there is no decay.
    groups = [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1]},
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return LARS(groups, settings.lr, momentum=settings.momentum, weight_decay=settings.weight_decay)
