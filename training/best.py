"""The best epoch so far, and its weights in memory."""

from __future__ import annotations

import math
from typing import Any, Literal

from torch import Tensor, nn


class Best:
    """Remembers the weights of the epoch with the best monitored value."""

    def __init__(self, mode: Literal["min", "max"]):
        self._sign = 1.0 if mode == "min" else -1.0
        self.epoch = 0
        self.value = math.inf
        self.weights: dict[str, Tensor] = {}

    def offer(self, epoch: int, value: float, network: nn.Module | None) -> bool:
        """True where `value` is better than all before it (NaN never is); then keep the weights of `network`."""
        if not self._sign * value < self.value:
            return False
        self.epoch, self.value = epoch, self._sign * value
        if network is not None:
            self.weights = weights_of(network)
        return True

    def state(self) -> dict[str, Any]:
        """What a resume checkpoint must hold."""
        return {"epoch": self.epoch, "value": self.value, "weights": self.weights}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.epoch, self.value, self.weights = state["epoch"], state["value"], state["weights"]


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """A copy of all weights and buffers, on the CPU."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in network.state_dict().items()}
