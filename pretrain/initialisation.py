"""Random weights from a seed: uniform Xavier as in the papers, Kaiming, or the library's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import nn

from .architectures import build_network
from .network import Network

Initialisation = Literal["xavier_uniform", "kaiming", "library"]
WORDS: dict[str, str] = {
    "xavier_uniform": "random: uniform Xavier",
    "kaiming": "random: Kaiming normal (fan out, ReLU)",
    "library": "random: as its library draws it",
}
_NORMALISATIONS = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm)


def draw_network(seed: int, *, arch: str, channels: int, initialisation: Initialisation) -> Network:
    """The backbone `arch` with random weights: equal for equal seeds; torch's global generator is left alone."""
    with private_randomness(seed):
        network = build_network(arch, channels)
    if initialisation != "library":
        initialise(network, initialisation, seed)
    return network


def initialise(network: nn.Module, initialisation: Literal["xavier_uniform", "kaiming"], seed: int) -> None:
    """Draw the weights of all convolutions and linear layers again; biases 0, normalisations 1 and 0.

    Uniform Xavier: Glorot and Bengio 2010, equation 16. Kaiming: He et al. 2015, equation 10 with fan out,
    as torchvision's ResNets.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            if initialisation == "xavier_uniform":
                nn.init.xavier_uniform_(module.weight, generator=generator)
            else:
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, _NORMALISATIONS):
            # Normalisations without learned weights have None here.
            if module.weight is not None:
                nn.init.ones_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


@contextmanager
def private_randomness(seed: int) -> Iterator[None]:
    """Within the block torch draws from `seed` on the CPU; afterwards its global state is what it was."""
    # Only the CPU generator: torch.manual_seed would also seed the accelerators, which are not restored here.
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(seed)
        yield
