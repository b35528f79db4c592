"""The optimisers that settings can name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.optim import Optimizer

from .settings import TrainingSettings

_NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def build_optimiser(
    network: nn.Module,
    settings: TrainingSettings,
    groups_of: Callable[[nn.Module], list[dict[str, Any]]] | None = None,
) -> Optimizer:
    """The optimiser of all parameters of `network` that require a gradient. Raises ValueError for none.

    Args:
        groups_of: divides them into groups with settings of their own, as `norms_without_decay` does; not for lars,
            which has its own groups.
    """
    parameters: list[Any] = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not parameters:
        raise ValueError("no parameter of the network requires a gradient: nothing to train")
    lr, decay = settings.lr, settings.weight_decay
    if settings.optimiser == "lars":
        return _lars(parameters, settings)
    if groups_of is not None:
        parameters = groups_of(network)
    if settings.optimiser == "sgd":
        return torch.optim.SGD(parameters, lr, momentum=settings.momentum, weight_decay=decay, fused=True)
    kind = torch.optim.AdamW if settings.optimiser == "adamw" else torch.optim.Adam
    return kind(parameters, lr, weight_decay=decay, fused=True)


def norms_without_decay(network: nn.Module) -> list[dict[str, Any]]:
    """All parameters that require a gradient in two groups, of which those of normalisations have no weight decay.

    Biases of other layers keep theirs, as detectron2 has it (WEIGHT_DECAY_NORM = 0).
    """
    norms = {id(each) for module in network.modules() if isinstance(module, _NORMS) for each in module.parameters()}
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [parameter for parameter in trained if id(parameter) not in norms]},
        {"params": [parameter for parameter in trained if id(parameter) in norms], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _lars(parameters: list[nn.Parameter], settings: TrainingSettings) -> Optimizer:
    from lightly.utils.lars import LARS

    # Biases and normalisations are left out of decay and, by lightly, of adaptation where there is no decay.
    groups = [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1]},
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return LARS(groups, settings.lr, momentum=settings.momentum, weight_decay=settings.weight_decay)
