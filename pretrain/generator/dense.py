"""A fully connected layer with an equalised learning rate (Karras et al. 2018, section 4.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Dense(nn.Module):
    """Linear map whose weights are stored near unit variance and scaled when they are used.

    The stored weights are N(0, 1) / rate and the map uses weight x rate / sqrt(inputs) and bias x rate, so that a
    step of the optimiser moves it by `rate` times as much.

    Args:
        inputs: numbers that go in.
        outputs: numbers that come out.
        bias: first value of each bias.
        rate: multiplier of the learning rate (0.01 in the mapping).
        randomness: draws the weights.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: float = 0.0, rate: float = 1.0, randomness: torch.Generator):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, generator=randomness) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), float(bias)))
        self._gain = rate / inputs**0.5
        self._rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs] -> [N, outputs]."""
        bias = self.bias if self._rate == 1 else self.bias * self._rate
        return functional.linear(x, self.weight * self._gain, bias)
