"""From z to w: the mapping network (Karras et al. 2019, section 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .activation import activated
from .dense import Dense
from .spec import GeneratorSpec

LEARNING_RATE = 0.01


class Mapping(nn.Module):
    """z [N, z_dim] -> w [N, w_dim]: z over the root of its second moment, then layers `fc0`, `fc1`, ...

    Attributes:
        w_avg: [w_dim], a running mean of w, kept by whoever trains the generator.
    """

    w_avg: Tensor

    def __init__(self, spec: GeneratorSpec, randomness: torch.Generator):
        super().__init__()
        widths = [spec.z_dim, *[spec.w_dim] * spec.mapping_layers]
        for place in range(spec.mapping_layers):
            layer = Dense(widths[place], widths[place + 1], rate=LEARNING_RATE, randomness=randomness)
            self.add_module(f"fc{place}", layer)
        self.register_buffer("w_avg", torch.zeros(spec.w_dim))
        self._names = [f"fc{place}" for place in range(spec.mapping_layers)]

    def forward(self, z: Tensor) -> Tensor:
        x = z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        for name in self._names:
            x = activated(self.get_submodule(name)(x))
        return x
