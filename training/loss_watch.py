"""The losses of an epoch: summed, and refused where they are not finite."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from ..foundation.errors import UserError


class NotFiniteLossError(UserError):
    """The loss became NaN or infinite."""


class LossWatch:
    """Reads the loss and its terms one step late, so that a GPU never waits for it.

    Attributes:
        sums: term -> sum over the batches that were read, `loss` among them.
        lr: the learning rate of the last step.
    """

    def __init__(self, epoch: int, lr: float, read: int = 0, sums: Mapping[str, float] | None = None):
        self.lr = lr
        self._latest: float | None = None
        self.sums = dict(sums or {})
        self._epoch = epoch
        self._read = read
        self._unread: tuple[list[str], Tensor, torch.cuda.Event | None, float] | None = None

    @property
    def words(self) -> str:
        """`loss 0.6931`, of the last batch that was read; empty before there is one."""
        return "" if self._latest is None else f"loss {self._latest:.4f}"

    def add(self, terms: Mapping[str, Tensor]) -> None:
        """Take note of the scalars of a batch. Raises NotFiniteLossError for the batch before it."""
        before, self._unread = self._unread, (list(terms), *_on_its_way(terms), self.lr)
        if before is not None:
            self._look(*before)

    def settle(self) -> None:
        """Read what is not read yet. Raises NotFiniteLossError."""
        if self._unread is not None:
            before, self._unread = self._unread, None
            self._look(*before)

    def _look(self, names: list[str], values: Tensor, arrival: torch.cuda.Event | None, lr: float) -> None:
        if arrival is not None:
            arrival.synchronize()
        self._read += 1
        found = dict(zip(names, values.tolist(), strict=True))
        latest = self._latest = found["loss"]
        if not math.isfinite(latest):
            raise NotFiniteLossError(
                f"the loss is {latest} in epoch {self._epoch + 1}, step {self._read}, at learning rate {lr:.3g}; "
                "lower training.lr, or set training.clip=1, training.warmup_epochs=1 or training.precision=float32"
            )
        for name, value in found.items():
            self.sums[name] = self.sums.get(name, 0.0) + value


def _on_its_way(terms: Mapping[str, Tensor]) -> tuple[Tensor, torch.cuda.Event | None]:
    """The terms as one vector that is being copied to the CPU, and what tells when it is there."""
    values = torch.stack([term.detach().reshape(()) for term in terms.values()])
    if not values.is_cuda:
        return values, None
    values = values.to("cpu", non_blocking=True)
    arrival = torch.cuda.Event()
    arrival.record()
    return values, arrival
