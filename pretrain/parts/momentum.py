"""The momentum copy of a network: it follows the trained one slowly and gets no gradient."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import TypeVar

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

N = TypeVar("N", bound=nn.Module)


def momentum_copy(network: N) -> N:
    """An equal network without gradients, to be moved by `follow`."""
    return deepcopy(network).requires_grad_(False)


@torch.no_grad()
def follow(copy: nn.Module, network: nn.Module, momentum: float) -> None:
    """copy <- momentum * copy + (1 - momentum) * network, for all parameters, in place.

    (He 2020, arXiv:1911.05722, equation 2.) Buffers are the copy's own: its batch normalisation sees its own images.
    """
    average = get_ema_multi_avg_fn(momentum)
    # Data, not parameters: what moves has no gradient, and what it follows keeps its own.
    average([each.data for each in copy.parameters()], [each.data for each in network.parameters()], 0)


def cosine_momentum(step: int, steps: int, start: float, end: float = 1.0) -> float:
    """end - (end - start) * (cos(pi * step / steps) + 1) / 2: from `start` at step 0 to `end` after the last one.

    (Grill 2020, arXiv:2006.07733, section 3.3.)
    """
    return end - (end - start) * (math.cos(math.pi * min(step, steps) / max(steps, 1)) + 1) / 2
