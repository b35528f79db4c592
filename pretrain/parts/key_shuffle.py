"""Keys go through their network in another order than queries, so that batch statistics do not tell who is whose."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...training.gathering import gathered_constant, rank, world_size


@dataclass(frozen=True)
class Order:
    """One drawn order of a batch, the same on all processes.

    Attributes:
        forth: position of the whole batch's images in the drawn order, [B]; None where the order is kept.
    """

    forth: Tensor | None

    def taken(self, images: Tensor) -> Tensor:
        """This process's share [b, …] in the order of queries -> its share in the drawn order."""
        return images if self.forth is None else gathered_constant(images)[_share(self.forth)]

    def put_back(self, results: Tensor) -> Tensor:
        """What was made of `taken` images, [b, …] -> this process's share in the order of queries."""
        return results if self.forth is None else gathered_constant(results)[_share(self.forth.argsort())]


class KeyShuffle(nn.Module):
    """Draws an order for every batch from a seed and a counter, both buffers: equal on all processes, and resumable.

    (Shuffling BN: He 2020, arXiv:1911.05722, section 3.3.) The seed comes from torch's global generator.
    """

    seed: Tensor
    drawn: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seed", torch.randint(2**62, ()))
        self.register_buffer("drawn", torch.zeros((), dtype=torch.int64))

    def draw(self, images: int, group: int, device: torch.device) -> Order:
        """An order of all processes' `images`; the order as it is where they are one group of `group` images."""
        if images <= group:
            return Order(None)
        # A seed of its own for every count; drawn on the CPU, because each device draws its own numbers.
        generator = torch.Generator().manual_seed((int(self.seed) + int(self.drawn) * 0x9E3779B97F4A7C15) % 2**63)
        if self.training:
            self.drawn += 1
        return Order(torch.randperm(images, generator=generator).to(device))


def _share(rows: Tensor) -> Tensor:
    """The rows of this process."""
    return rows.view(world_size(), -1)[rank()]
